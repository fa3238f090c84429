/* dashboard.h - the page of GET / on a balancer's admin port. */
#ifndef BERTH_WEB_DASHBOARD_H
#define BERTH_WEB_DASHBOARD_H

#include "core/span.h"

/* HTML, UTF-8; lives for ever. */
struct span dashboard_page(void);

#endif
