// Linux calls that Swift's Glibc module leaves out. Declared here rather than included: the system's headers would
// define types a second time that Swift knows from its own module.
#ifndef SELVAGE_CLINUX_SHIM_H
#define SELVAGE_CLINUX_SHIM_H

#include <stdint.h>

#if defined(__x86_64__)
#define SELVAGE_PACKED __attribute__((packed))
#else
#define SELVAGE_PACKED
#endif

/// epoll_ctl(2)'s event, with the union as the 64 bits that it holds.
struct selvage_event {
    uint32_t events;
    uint64_t token;
} SELVAGE_PACKED;

/// unix(7): what SO_PEERCRED answers.
struct selvage_peer {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
};

extern int epoll_create1(int flags);
extern int epoll_ctl(int descriptor, int operation, int source, struct selvage_event *event);
extern int epoll_wait(int descriptor, struct selvage_event *events, int count, int milliseconds);
extern int eventfd(unsigned int count, int flags);
extern int accept4(int listener, void *address, uint32_t *length, int flags);
/// Of a posix_spawn_file_actions_t; since glibc 2.34. For tests only.
extern int posix_spawn_file_actions_addclosefrom_np(void *actions, int first);

/// The values are the kernel's ABI (include/uapi/linux/eventpoll.h, eventfd.h).
static const uint32_t selvage_epollin = 0x001;
static const uint32_t selvage_epollout = 0x004;
static const uint32_t selvage_epollerr = 0x008;
static const uint32_t selvage_epollhup = 0x010;
static const uint32_t selvage_epollrdhup = 0x2000;
static const uint32_t selvage_epollexclusive = 1u << 28;
static const uint32_t selvage_epollet = 1u << 31;
static const int selvage_epoll_ctl_add = 1;
static const int selvage_epoll_ctl_del = 2;
/// EPOLL_CLOEXEC and EFD_CLOEXEC are O_CLOEXEC; EFD_NONBLOCK is O_NONBLOCK.

#endif
