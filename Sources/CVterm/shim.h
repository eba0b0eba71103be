// libvterm, a terminal emulator without a window, and a pseudo-terminal to run a program in: what Swift cannot reach
// by itself (bit-fields, fork).
#ifndef SELVAGE_CVTERM_SHIM_H
#define SELVAGE_CVTERM_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>
#include <vterm.h>

typedef struct {
    uint32_t characters[VTERM_MAX_CHARS_PER_CELL];
    int width;
    bool bold, underline, reverse;
    // -1 the terminal's own, 0…255 an index, else 0x1000000 | red << 16 | green << 8 | blue.
    int32_t foreground, background;
} cv_cell;

static inline int32_t cv_color(const VTermColor *color, uint8_t standard) {
    if (color->type & standard) return -1;
    if (VTERM_COLOR_IS_INDEXED(color)) return color->indexed.idx;
    return 0x1000000 | color->rgb.red << 16 | color->rgb.green << 8 | color->rgb.blue;
}

static inline cv_cell cv_cell_at(VTerm *terminal, int row, int column) {
    VTermScreenCell cell;
    VTermPos position = {row, column};
    cv_cell result;
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL; i++) result.characters[i] = 0;
    vterm_screen_get_cell(vterm_obtain_screen(terminal), position, &cell);
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i]; i++) result.characters[i] = cell.chars[i];
    result.width = cell.width;
    result.bold = cell.attrs.bold;
    result.underline = cell.attrs.underline != 0;
    result.reverse = cell.attrs.reverse;
    result.foreground = cv_color(&cell.fg, VTERM_COLOR_DEFAULT_FG);
    result.background = cv_color(&cell.bg, VTERM_COLOR_DEFAULT_BG);
    return result;
}

// The C library declares these under _GNU_SOURCE only, which its Swift module was not built with; defining it here
// would make two different sets of types.
extern int posix_openpt(int);
extern int grantpt(int);
extern int unlockpt(int);
extern int ptsname_r(int, char *, size_t);
extern int close_range(unsigned, unsigned, int);

// Opens a pseudo-terminal of this size; both ends are close-on-exec. 0, or -1 with errno set.
static inline int cv_open(int rows, int columns, int *controller, int *terminal) {
    struct winsize size = {(unsigned short)rows, (unsigned short)columns, 0, 0};
    char name[64];
    *controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*controller < 0 || grantpt(*controller) != 0 || unlockpt(*controller) != 0) return -1;
    if (ptsname_r(*controller, name, sizeof name) != 0) return -1;
    *terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*terminal < 0) return -1;
    return ioctl(*controller, TIOCSWINSZ, &size);
}

static inline int cv_resize(int controller, int rows, int columns) {
    struct winsize size = {(unsigned short)rows, (unsigned short)columns, 0, 0};
    return ioctl(controller, TIOCSWINSZ, &size);
}

// Runs a program as the leader of a session that the terminal belongs to, with every signal at its default.
static inline pid_t cv_spawn(const char *path, char *const arguments[], char *const environment[], int terminal) {
    pid_t child = fork();
    if (child != 0) return child;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
    // Crashes are part of the tests; their core files are not.
    struct rlimit none_at_all = {0, 0};
    setrlimit(RLIMIT_CORE, &none_at_all);
    setsid();
    ioctl(terminal, TIOCSCTTY, 0);
    for (int descriptor = 0; descriptor < 3; descriptor++) dup2(terminal, descriptor);
    close_range(3, ~0U, 0);
    execve(path, arguments, environment);
    _exit(127);
}

#endif
