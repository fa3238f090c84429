/* agent_io.h - the shell of berth-agent: one struct, and the parts that count, check, start and
 * tell the server. */
#ifndef BERTH_AGENT_AGENT_IO_H
#define BERTH_AGENT_AGENT_IO_H

#include "agent/agent.h"
#include "io/command.h"
#include "io/fetch.h"
#include "nodekit/shell_io.h"

/* Ports whose connections are counted. */
enum { AGENT_PORTS_MAX = 16 };

struct agentd {
    struct node_shell shell; /* first: the stages of nodekit take the program's struct as theirs */
    const struct agent_settings *settings;
    struct agent core;
    struct timer timer;
    struct effects effects; /* stays empty: the agent has no clients of its own to speak to */
    struct front front;     /* only its counters are used */
    struct fetcher *fetcher;
    int server_port;
    bool store_open;

    struct { /* count_io.c */
        struct fetch *fetch;
        struct command *command;
        int ports[AGENT_PORTS_MAX]; /* kind process */
        size_t port_count;
        mono_ms_t ports_at;
    } count;
    struct { /* check_io.c */
        struct fetch *fetch;
        struct ws *ws;
        int fd; /* -1: none */
        ev_io io;
        struct timer timer;
    } check;
    struct {     /* server_io.c */
        int pid; /* 0: not ours, or ended */
        struct child child;
        struct fetch *fetch;
        struct command *command;
    } server;
};

/* Step the core (time is filled in) and do what it says. main.c */
void agentd_event(struct agentd *d, struct agent_event ev);

/* Count now; AGENT_COUNTED or AGENT_COUNT_FAILED follows, at once or later. */
void count_start(struct agentd *d);
void count_stop(struct agentd *d);

/* Check now; AGENT_CHECKED follows, never from within. */
void check_start(struct agentd *d);
void check_stop(struct agentd *d);

/* Start the server, if it is ours to start. */
int server_open(void *app, struct err *err);
/* End it and wait for its end, at most stop_timeout. */
void server_close(void *app);
/* Its pid: of the child, or from the pid file; 0: not known (err says why). */
int server_pid(const struct agentd *d, struct err *err);
/* Tell it to drain, or that it serves again. */
void server_tell(struct agentd *d, bool draining, const char *why);

/* The local API: /ready /count /admit /drain /healthz /metrics. */
extern const struct http_route api_routes[];

/* Established TCP connections whose local port is one of these and whose other end is none of
 * `exclude` (numeric addresses), from the kernel (sock_diag(7)), IPv4 and IPv6. Returns the number
 * or BERTH_ESYS with err. tcp_count_io.c */
int64_t tcp_count(const int *ports, size_t port_count, const struct text_list *exclude,
                  struct err *err);
/* The ports that the process listens on, at most max. Returns how many, BERTH_ENOENT: no such
 * process, BERTH_ESYS. */
int tcp_ports_of(int pid, int *ret_ports, size_t max, struct err *err);

#endif
