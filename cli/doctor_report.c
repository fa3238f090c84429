/* doctor_report.c - tells what was found: for people, or as JSON. */
#include "cli/doctor.h"

#include <jansson.h>
#include <string.h>

static enum doctor_verdict verdict_of(const struct doctor_findings *f, const char *check)
{
    enum doctor_verdict worst = DOCTOR_OK;
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->items[i].check, check) == 0 && worst != DOCTOR_PROBLEM)
            worst = f->items[i].verdict;
    return worst;
}

static size_t count_of(const struct doctor_findings *f, enum doctor_verdict verdict)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += f->items[i].verdict == verdict;
    return n;
}

void doctor_report_text(const struct doctor_findings *f, FILE *out)
{
    size_t checks = 0;
    for (const struct doctor_check *c = doctor_checks; c->name; c++, checks++) {
        if (verdict_of(f, c->name) == DOCTOR_OK)
            (void)fprintf(out, "ok       %-13s %s\n", c->name, c->what);
        for (size_t i = 0; i < f->count; i++) {
            const struct doctor_finding *it = &f->items[i];
            if (strcmp(it->check, c->name) != 0)
                continue;
            (void)fprintf(out, "%s %-13s %s\n%23s-> %s\n",
                          it->verdict == DOCTOR_PROBLEM ? "PROBLEM " : "unknown ", c->name,
                          it->text, "", it->remedy);
        }
    }
    (void)fprintf(out, "doctor: checks=%zu problems=%zu unknown=%zu\n", checks,
                  count_of(f, DOCTOR_PROBLEM), count_of(f, DOCTOR_UNKNOWN));
}

void doctor_report_json(const struct doctor_findings *f, FILE *out)
{
    static const char *const words[] = {"ok", "problem", "unknown"};
    json_t *checks = json_array();
    for (const struct doctor_check *c = doctor_checks; c->name; c++) {
        json_t *list = json_array();
        for (size_t i = 0; i < f->count; i++) {
            const struct doctor_finding *it = &f->items[i];
            if (strcmp(it->check, c->name) == 0)
                (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "verdict",
                                                            words[it->verdict], "text", it->text,
                                                            "remedy", it->remedy));
        }
        (void)json_array_append_new(
            checks, json_pack("{s:s, s:s, s:s, s:o}", "check", c->name, "what", c->what, "verdict",
                              words[verdict_of(f, c->name)], "findings", list));
    }
    json_t *root = json_pack("{s:o, s:I, s:I}", "checks", checks, "problems",
                             (json_int_t)count_of(f, DOCTOR_PROBLEM), "unknown",
                             (json_int_t)count_of(f, DOCTOR_UNKNOWN));
    (void)json_dumpf(root, out, JSON_INDENT(2));
    (void)fputc('\n', out);
    json_decref(root);
}
