/* notice.h - what people should hear about: the one place through which everything notable passes.
 *
 * Pure. The autoscaler's core asks for notes (EFFECT_NOTE, EFFECT_TELL); those that are worth a
 * person's attention become notices here, beside what only the shell knows (leadership, the store).
 * Each is handed to one sink (main.c), from which alerts, metrics and whoever else go on. A pool's
 * notices come from its leader alone, so two autoscalers do not say things twice; what concerns a
 * process (leadership, the store) each says for itself. */
#ifndef BERTH_AUTOSCALE_NOTICE_H
#define BERTH_AUTOSCALE_NOTICE_H

#include "autoscale/effects.h"

/* In the order of notice_word(). */
enum notice_kind {
    NOTICE_SCALE_OUT,        /* decided; from, to */
    NOTICE_SCALE_IN,         /* decided; from, to */
    NOTICE_SCALE_LIMITED,    /* the rules want more than max; from: size, to: wanted */
    NOTICE_POOL_FULL,        /* no free place on any ready node */
    NOTICE_POOL_HAS_ROOM,    /* again */
    NOTICE_NODE_LOST,        /* about: the node, the first of `count` */
    NOTICE_NODE_BACK,        /* likewise: a lost one reports again */
    NOTICE_DRAIN_STUCK,      /* about: an instance whose players do not leave */
    NOTICE_INSTANCE_SILENT,  /* about: it runs, but its nodes have been forgotten */
    NOTICE_INSTANCE_ENDED,   /* about: ended though nobody drained it; why */
    NOTICE_DIED_AT_BOOT,     /* about: an instance */
    NOTICE_TERMINATE_FAILED, /* about: an instance; why: the provider's error */
    NOTICE_LAUNCH_FAILED,    /* about: a launch; why: the provider's error */
    NOTICE_LAUNCHES_HALTED,  /* after repeated failures */
    NOTICE_LAUNCHES_RESUMED, /* they work again, or somebody said so */
    NOTICE_PROVIDER_FAILING, /* its list cannot be had */
    NOTICE_PROVIDER_ANSWERS, /* again */
    NOTICE_PLAN_ABANDONED,   /* about: a launch of a former leader */
    NOTICE_PLAN_UNREADABLE,  /* about: a field of the plan */
    NOTICE_WEBHOOK_FAILING,  /* the service of a rule */
    NOTICE_WEBHOOK_ANSWERS,  /* again */
    NOTICE_ACTION_FAILED,    /* of a rule */
    NOTICE_ROLL_BEGUN,       /* from: size */
    NOTICE_ROLL_HELD,        /* why */
    NOTICE_ROLL_DONE,        /* */
    NOTICE_POLICY_CHANGED,   /* by a reload */
    NOTICE_LEADER_GAINED,    /* this process leads the pool from now on; why */
    NOTICE_LEADER_LOST,      /* and no more; why */
    NOTICE_STORE_LOST,       /* Redis is away; pool "" */
    NOTICE_STORE_BACK,       /* pool "" */
};
#define NOTICE_KINDS (NOTICE_STORE_BACK + 1)

enum notice_level { NOTICE_INFO, NOTICE_WARNING }; /* a warning: somebody should see to it */

struct notice {
    enum notice_kind kind;
    enum notice_level level;
    char pool[NAME_SIZE];  /* "": the whole process */
    char about[NAME_SIZE]; /* node, instance or launch; "": the pool itself */
    int from, to;          /* nodes; -1: not told */
    char why[128];         /* a word, or the error's text; "": the kind says it all */
    char who[NAME_SIZE];   /* the autoscaler that says so */
    wall_ms_t at;          /* Redis time; 0: not known */
    char detail[448];      /* everything as a plain record, as in the pool's events */
};

/* Where notices go. */
struct notice_sink {
    void (*tell)(void *arg, const struct notice *notice); /* borrowed for the call */
    void *arg;
};

/* The words of the contract: "scale_out", "node_lost" ... */
const char *notice_word(enum notice_kind kind);
const char *notice_level_word(enum notice_level level);

/* The notice of a note. False: it is for the record only. pool, who and at are the caller's. */
bool notice_of(const struct effect *effect, struct notice *ret_notice);

/* One that the shell makes; why may be NULL. */
struct notice notice_make(enum notice_kind kind, enum notice_level level, const char *why);

#endif
