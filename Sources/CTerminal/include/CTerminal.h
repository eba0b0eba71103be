// What the console needs from the system that is not reachable from Swift, or must not be Swift: the restore after a
// crash runs inside a signal handler, where only async-signal-safe functions may be called.
#ifndef SELVAGE_CTERMINAL_H
#define SELVAGE_CTERMINAL_H

#include <stddef.h>
#include <termios.h>

// An anonymous file in memory, close-on-exec; -1 with errno set on failure.
int terminal_memory_file(const char *name);

// Blocks TERM, HUP, INT, WINCH, CONT and TSTP for the calling thread (and for threads it starts) and returns a
// non-blocking, close-on-exec descriptor that reads them; ignores PIPE. -1 with errno set on failure.
int terminal_signal_descriptor(void);

// The next signal of that descriptor; 0 when none is waiting.
int terminal_next_signal(int descriptor);

// Stops the process group as the shell's suspend key does. Returns once continued, or at once where the kernel
// discards the signal (an orphaned group, as under `ssh -t host selvage`).
void terminal_stop_group(void);

// Ends the process by `number` with its default action, so that the parent sees the true cause.
_Noreturn void terminal_die_by(int number);

// From now until disarmed, a crash (SEGV BUS ILL FPE ABRT TRAP SYS QUIT) writes `bytes` to `tty`, puts `modes` back,
// copies what `captured` holds to `errors`, makes `errors` descriptor 2 again, and then lets the signal take its
// course. `bytes` is copied (at most 1,024). Descriptors that are -1 are left out.
void terminal_arm_crash_restore(int tty, const struct termios *modes, const char *bytes, size_t count, int captured,
                                int errors);
void terminal_disarm_crash_restore(void);

#endif
