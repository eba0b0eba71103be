#define _GNU_SOURCE
#include "CTerminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

int terminal_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int terminal_signal_descriptor(void) {
    sigset_t set;
    sigemptyset(&set);
    const int read_by_loop[] = {SIGTERM, SIGHUP, SIGINT, SIGWINCH, SIGCONT, SIGTSTP};
    for (size_t i = 0; i < sizeof read_by_loop / sizeof *read_by_loop; i++) sigaddset(&set, read_by_loop[i]);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int terminal_next_signal(int descriptor) {
    struct signalfd_siginfo record;
    ssize_t count;
    do count = read(descriptor, &record, sizeof record);
    while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof record ? (int)record.ssi_signo : 0;
}

static void set_default(int number) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void terminal_stop_group(void) {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    set_default(SIGTSTP);
    kill(0, SIGTSTP);
    // The stop happens here, inside this call, and so does the return from it.
    pthread_sigmask(SIG_UNBLOCK, &set, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void terminal_die_by(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    set_default(number);
    kill(getpid(), number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number);
}

// The crash restore. All state is plain static memory, written before `armed` is set.

static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGQUIT};
enum { crash_count = sizeof crashes / sizeof *crashes };

static struct sigaction earlier[crash_count];
static volatile sig_atomic_t armed;
static int restore_tty = -1;
static struct termios restore_modes;
static char restore_bytes[1024];
static size_t restore_count;
static int restore_captured = -1;
static int restore_errors = -1;
static char alternate_stack[65536];

// Writes with a bound: a terminal that takes nothing must not keep a crashed process alive.
static void write_bounded(int descriptor, const char *bytes, size_t count) {
    int refusals = 0;
    while (count > 0 && refusals < 10) {
        ssize_t written = write(descriptor, bytes, count);
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd entry = {descriptor, POLLOUT, 0};
            poll(&entry, 1, 100);
            refusals++;
        } else if (!(written < 0 && errno == EINTR)) {
            return;
        }
    }
}

static void replay_captured(void) {
    char chunk[4096];
    off_t offset = 0;
    ssize_t count;
    if (restore_errors < 0) return;
    if (restore_captured >= 0) {
        while ((count = pread(restore_captured, chunk, sizeof chunk, offset)) > 0) {
            write_bounded(restore_errors, chunk, (size_t)count);
            offset += count;
        }
    }
    dup2(restore_errors, STDERR_FILENO);
}

static void on_crash(int number) {
    int saved_errno = errno;
    if (armed) {
        armed = 0;
        write_bounded(restore_tty, restore_bytes, restore_count);
        tcsetattr(restore_tty, TCSANOW, &restore_modes);
        replay_captured();
    }
    for (int i = 0; i < crash_count; i++) {
        if (crashes[i] == number) sigaction(number, &earlier[i], NULL);
    }
    // Blocked while this handler runs, so it is delivered on return: to whoever held the signal before us.
    raise(number);
    errno = saved_errno;
}

void terminal_arm_crash_restore(int tty, const struct termios *modes, const char *bytes, size_t count, int captured,
                                int errors) {
    static int installed;
    armed = 0;
    restore_tty = tty;
    restore_modes = *modes;
    restore_count = count < sizeof restore_bytes ? count : sizeof restore_bytes;
    memcpy(restore_bytes, bytes, restore_count);
    restore_captured = captured;
    restore_errors = errors;
    if (!installed) {
        stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack, .ss_flags = 0};
        sigaltstack(&stack, NULL);
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_crash;
        action.sa_flags = SA_ONSTACK;
        sigfillset(&action.sa_mask);
        for (int i = 0; i < crash_count; i++) sigaction(crashes[i], &action, &earlier[i]);
        installed = 1;
    }
    armed = 1;
}

void terminal_disarm_crash_restore(void) { armed = 0; }
