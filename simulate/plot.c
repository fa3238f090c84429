/* plot.c - a simulation as a picture (SVG). */
#include "simulate/plot.h"

#include <stdarg.h>
#include <stdio.h>

#define LEFT 70
#define TOP 64
#define HEIGHT 360
#define GAP 24
#define LOWER 70 /* the strip of those refused */
#define BOTTOM 40
#define RIGHT 20

struct sheet {
    const struct plot *plot;
    plot_put_fn *put;
    void *arg;
    int64_t top, refused_top; /* of the two scales */
};

void plot_begin(struct plot *plot, const char *title, const char *subtitle, int64_t seconds,
                int64_t node_capacity)
{
    *plot = (struct plot){
        .title = title, .subtitle = subtitle, .seconds = seconds, .node_capacity = node_capacity};
}

void plot_add(struct plot *plot, const struct simulate_sample *s)
{
    int64_t at = s->second * PLOT_COLUMNS / plot->seconds;
    if (at < 0 || at >= PLOT_COLUMNS)
        return;
    bool seen = plot->column[at].seen;
    plot->column[at].seen = true;
    if (!seen || s->demand > plot->column[at].demand)
        plot->column[at].demand = s->demand;
    if (!seen || s->capacity < plot->column[at].capacity)
        plot->column[at].capacity = s->capacity;
    if (!seen || s->refused > plot->column[at].refused)
        plot->column[at].refused = s->refused;
}

static void say(const struct sheet *sheet, const char *fmt, ...) BERTH_PRINTF(2, 3);

static void say(const struct sheet *sheet, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sheet->put(sheet->arg, text);
}

static void say_escaped(const struct sheet *sheet, const char *text)
{
    for (; *text; text++) {
        if (*text == '&' || *text == '<' || *text == '>')
            say(sheet, "&#%d;", *text);
        else
            say(sheet, "%c", *text);
    }
}

/* The next of 1, 2, 5 times a power of ten. */
static int64_t round_step(int64_t least)
{
    int64_t step = 1;
    for (;; step *= 10) {
        if (step >= least)
            return step;
        if (step * 2 >= least)
            return step * 2;
        if (step * 5 >= least)
            return step * 5;
    }
}

static int64_t time_step(int64_t seconds)
{
    static const int64_t steps[] = {10,   30,   60,    120,   300,   600,   1200,  1800,
                                    3600, 7200, 10800, 14400, 21600, 43200, 86400, 172800};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (seconds / steps[i] <= 12)
            return steps[i];
    return 604800;
}

static double y_of(const struct sheet *sheet, int64_t players)
{
    return TOP + HEIGHT - (double)players * HEIGHT / (double)sheet->top;
}

static double refused_y(const struct sheet *sheet, int64_t players)
{
    return TOP + HEIGHT + GAP + LOWER - (double)players * LOWER / (double)sheet->refused_top;
}

static void draw_axes(const struct sheet *sheet)
{
    int64_t step = round_step(sheet->top / 6 + 1), time = time_step(sheet->plot->seconds);
    for (int64_t v = 0; v <= sheet->top; v += step) {
        say(sheet, "<line class=\"g\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
            LEFT + PLOT_COLUMNS, y_of(sheet, v), y_of(sheet, v));
        say(sheet, "<text class=\"r\" x=\"%d\" y=\"%.1f\">%lld</text>\n", LEFT - 8,
            y_of(sheet, v) + 4, (long long)v);
    }
    for (int64_t s = 0; s <= sheet->plot->seconds; s += time) {
        double x = LEFT + (double)s * PLOT_COLUMNS / (double)sheet->plot->seconds;
        int bottom = TOP + HEIGHT + GAP + LOWER;
        say(sheet, "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", x, x, TOP,
            bottom);
        if (time < 60)
            say(sheet, "<text class=\"m\" x=\"%.1f\" y=\"%d\">%lld s</text>\n", x, bottom + 18,
                (long long)s);
        else
            say(sheet, "<text class=\"m\" x=\"%.1f\" y=\"%d\">%lld:%02lld</text>\n", x, bottom + 18,
                (long long)(s / 3600), (long long)(s / 60 % 60));
    }
    say(sheet, "<text class=\"r\" x=\"%d\" y=\"%.1f\">%lld</text>\n", LEFT - 8,
        refused_y(sheet, sheet->refused_top) + 10, (long long)sheet->refused_top);
    say(sheet, "<line class=\"a\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", LEFT,
        LEFT + PLOT_COLUMNS, TOP + HEIGHT + GAP + LOWER, TOP + HEIGHT + GAP + LOWER);
}

enum series { DEMAND, CAPACITY, REFUSED };

static double height_of(const struct sheet *sheet, enum series series, size_t i)
{
    if (series == REFUSED)
        return refused_y(sheet, sheet->plot->column[i].refused);
    return y_of(sheet,
                series == DEMAND ? sheet->plot->column[i].demand : sheet->plot->column[i].capacity);
}

/* Columns that no second fell into go on as before. */
static void draw(const struct sheet *sheet, enum series series, const char *class, bool filled)
{
    double y = filled ? refused_y(sheet, 0) : 0;
    say(sheet, "<path class=\"%s\" d=\"", class);
    if (filled)
        say(sheet, "M%d %.1f", LEFT, y);
    bool first = !filled;
    for (size_t i = 0; i < PLOT_COLUMNS; i++) {
        if (!sheet->plot->column[i].seen)
            continue;
        say(sheet, "%s%zu %.1f", first ? "M" : "L", LEFT + i, height_of(sheet, series, i));
        first = false;
    }
    if (filled)
        say(sheet, "L%d %.1fZ", LEFT + PLOT_COLUMNS, y);
    say(sheet, "\"/>\n");
}

static void draw_legend(const struct sheet *sheet)
{
    static const struct {
        const char *class, *word;
    } rows[] = {{"d", "players who want to play"},
                {"c", "places on ready nodes"},
                {"f", "players refused (strip below)"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t x = LEFT + i * 230;
        say(sheet, "<path class=\"%s\" d=\"M%zu 52h24\"/>", rows[i].class, x);
        say(sheet, "<text x=\"%zu\" y=\"56\">%s</text>\n", x + 30, rows[i].word);
    }
}

void plot_write(const struct plot *plot, plot_put_fn *put, void *arg)
{
    struct sheet sheet = {.plot = plot, .put = put, .arg = arg, .top = 1, .refused_top = 1};
    for (size_t i = 0; i < PLOT_COLUMNS; i++) {
        int64_t most = plot->column[i].demand > plot->column[i].capacity ? plot->column[i].demand
                                                                         : plot->column[i].capacity;
        sheet.top = most > sheet.top ? most : sheet.top;
        if (plot->column[i].refused > sheet.refused_top)
            sheet.refused_top = plot->column[i].refused;
    }
    sheet.top = sheet.top + sheet.top / 20 + 1;
    int width = LEFT + PLOT_COLUMNS + RIGHT, height = TOP + HEIGHT + GAP + LOWER + BOTTOM;
    say(&sheet, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" ",
        width, height, width);
    say(&sheet, "height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", height);
    put(arg, "<style>path{fill:none;stroke-width:1.5}.g{stroke:#e4e4e4}.a{stroke:#888}"
             ".d{stroke:#1f5fa8}.c{stroke:#2e8b57}.f{fill:#c0392b;stroke:#c0392b}"
             ".r{text-anchor:end}.m{text-anchor:middle}</style>\n");
    say(&sheet, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", width, height);
    say(&sheet, "<text x=\"%d\" y=\"20\" font-size=\"15\">", LEFT);
    say_escaped(&sheet, plot->title);
    say(&sheet, "</text>\n<text x=\"%d\" y=\"38\" fill=\"#555\">", LEFT);
    say_escaped(&sheet, plot->subtitle);
    put(arg, "</text>\n");
    draw_axes(&sheet);
    draw(&sheet, REFUSED, "f", true);
    draw(&sheet, CAPACITY, "c", false);
    draw(&sheet, DEMAND, "d", false);
    draw_legend(&sheet);
    put(arg, "</svg>\n");
}
