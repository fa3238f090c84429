/* service_io.c - in service or not: the maintenance file, whose presence takes this balancer out,
 * the in-service file, whose absence does, and the health port, which listens only while it is in
 * service and able to answer, for whoever checks ports (HAProxy, keepalived, DNS).
 *
 * Out of service it goes on answering who still asks; it hands its pools to a peer. */
#include "lb/app.h"

#include <stdlib.h>
#include <unistd.h>

enum { LOOK_MS = 500 };

struct service {
    struct app *app;
    struct timer timer;
    struct host_port at;
    struct web_server *health;
    bool in, told_failure;
    const char *why;
};

static const char *files_say(const struct lb_settings *s)
{
    if (s->maintenance_file != NULL && access(s->maintenance_file, F_OK) == 0)
        return "maintenance_file";
    if (s->in_service_file != NULL && access(s->in_service_file, F_OK) != 0)
        return "no_in_service_file";
    return NULL;
}

const char *service_out(const struct service *service)
{
    return service->why;
}

static void open_health(struct service *service)
{
    struct app *app = service->app;
    struct err err = {0};
    const struct web_server_config config = {.name = "health",
                                             .address = service->at.host,
                                             .port = service->at.port,
                                             .routes = health_routes,
                                             .http_arg = app,
                                             .connections_max = 256,
                                             .idle_ms = 5000};
    service->health = web_listen(app->web, &config, &err);
    if (service->health == NULL && !service->told_failure)
        log_error(&app->log, "health_port", "why=%s", err.text);
    service->told_failure = service->health == NULL;
}

static void look(void *arg)
{
    struct service *service = arg;
    struct app *app = service->app;
    const char *why = files_say(&app->settings->lb);
    if ((why == NULL) != service->in) {
        service->in = why == NULL;
        log_warn(&app->log, "service", "in=%d why=%s", service->in, why ? why : "files_say_so");
        app_event(app, (struct lb_event){.kind = LB_SERVICE, .ok = service->in});
    }
    service->why = why;
    if (service->at.host == NULL)
        return;
    bool open = app_not_ready(app) == NULL;
    if (open && service->health == NULL) {
        open_health(service);
    } else if (!open && service->health != NULL) {
        web_server_close(service->health);
        service->health = NULL;
    }
}

void service_look(struct service *service)
{
    if (service != NULL)
        look(service);
}

struct service *service_create(struct app *app, struct err *err)
{
    const struct lb_settings *s = &app->settings->lb;
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        (void)err_set(err, BERTH_ENOMEM, "no memory");
        return NULL;
    }
    *service = (struct service){
        .app = app, .at = s->health.host ? s->health : app->me->health, .in = true};
    timer_init(&service->timer, app->loop, look, service);
    timer_start(&service->timer, 0, LOOK_MS);
    return service;
}

void service_destroy(struct service *service)
{
    if (service == NULL)
        return;
    timer_stop(&service->timer);
    if (service->health != NULL)
        web_server_close(service->health);
    free(service);
}
