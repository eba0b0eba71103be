// What Swift cannot reach in <ncurses.h> by itself: mutable globals (rejected by Swift 6), function-like macros
// (not imported), and the wide-character calls with their C arrays. The library's other functions import as they are.
#ifndef SELVAGE_CNCURSES_SHIM_H
#define SELVAGE_CNCURSES_SHIM_H

#define NCURSES_WIDECHAR 1
#include <ncurses.h>
#include <stdint.h>
#include <stdio.h>
#include <term.h>
#include <wchar.h>

// <term.h> defines hundreds of short macros (`lines`, `columns`, `tab` …); none of them is imported by Swift.

static inline WINDOW *cn_standard_screen(void) { return stdscr; }
static inline WINDOW *cn_current_screen(void) { return curscr; }
static inline int cn_colors(void) { return COLORS; }
static inline int cn_lines(void) { return LINES; }
static inline int cn_columns(void) { return COLS; }

static inline attr_t cn_bold(void) { return A_BOLD; }
static inline attr_t cn_dim(void) { return A_DIM; }
static inline attr_t cn_reverse(void) { return A_REVERSE; }
static inline attr_t cn_underline(void) { return A_UNDERLINE; }
static inline attr_t cn_italic(void) { return A_ITALIC; }

// wcwidth is declared only under _XOPEN_SOURCE, which the C library's module was not built with.
static inline int cn_width(uint32_t scalar) {
    extern int wcwidth(wchar_t);
    return wcwidth((wchar_t)scalar);
}

// Puts one cell, a base character with up to two combining ones, at (row, column) of the standard screen.
// `pair` may exceed a short: the extended form of setcchar takes it by address.
static inline int cn_put(int row, int column, uint32_t base, uint32_t first, uint32_t second, attr_t attributes,
                         int pair) {
    wchar_t text[4] = {(wchar_t)base, (wchar_t)first, first ? (wchar_t)second : 0, 0};
    cchar_t cell;
    if (setcchar(&cell, text, attributes, 0, &pair) == ERR) return ERR;
    return mvwadd_wchnstr(stdscr, row, column, &cell, 1);
}

// A string capability of the terminal in use, or NULL where it has none.
static inline const char *cn_capability(const char *name) {
    const char *value = tigetstr((char *)name);
    return value == (char *)-1 ? NULL : value;
}

#endif
