/* dict.c - texts to values, in the order in which they came. */
#include "tests/sim/dict.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 8 };

static uint64_t hash_of(struct span key)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    return h ^ h >> 32;
}

void dict_fini(struct dict *dict)
{
    for (struct dict_entry *e = dict->oldest, *next; e != NULL; e = next) {
        next = e->newer;
        free(e->value);
        free(e);
    }
    free(dict->buckets);
    *dict = (struct dict){0};
}

static struct dict_entry *find(const struct dict *dict, struct span key, uint64_t hash)
{
    struct dict_entry *e = dict->buckets == NULL ? NULL : dict->buckets[hash & dict->mask];
    while (e != NULL && !(e->hash == hash && e->key_len == key.len &&
                          (key.len == 0 || memcmp(e->key, key.ptr, key.len) == 0)))
        e = e->chain;
    return e;
}

struct dict_entry *dict_find(const struct dict *dict, struct span key)
{
    return dict->count == 0 ? NULL : find(dict, key, hash_of(key));
}

static void grow(struct dict *dict)
{
    size_t size = dict->buckets == NULL ? FIRST_BUCKETS : (dict->mask + 1) * 2;
    free(dict->buckets);
    dict->buckets = calloc(size, sizeof *dict->buckets);
    assert(dict->buckets != NULL);
    dict->mask = size - 1;
    for (struct dict_entry *e = dict->oldest; e != NULL; e = e->newer) {
        e->chain = dict->buckets[e->hash & dict->mask];
        dict->buckets[e->hash & dict->mask] = e;
    }
}

struct dict_entry *dict_put(struct dict *dict, struct span key, bool *ret_new)
{
    uint64_t hash = hash_of(key);
    struct dict_entry *e = find(dict, key, hash);
    *ret_new = e == NULL;
    if (e != NULL)
        return e;
    if (dict->buckets == NULL || dict->count > dict->mask)
        grow(dict);
    e = calloc(1, sizeof *e + key.len + 1);
    assert(e != NULL);
    e->hash = hash;
    e->key_len = key.len;
    if (key.len > 0)
        memcpy(e->key, key.ptr, key.len);
    e->chain = dict->buckets[hash & dict->mask];
    dict->buckets[hash & dict->mask] = e;
    e->older = dict->newest;
    if (dict->newest != NULL)
        dict->newest->newer = e;
    else
        dict->oldest = e;
    dict->newest = e;
    dict->count++;
    return e;
}

void dict_set_value(struct dict_entry *entry, struct span value)
{
    char *copy = malloc(value.len + 1);
    assert(copy != NULL);
    if (value.len > 0)
        memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
    free(entry->value);
    entry->value = copy;
    entry->value_len = value.len;
}

void dict_remove(struct dict *dict, struct dict_entry *entry)
{
    struct dict_entry **at = &dict->buckets[entry->hash & dict->mask];
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        dict->oldest = entry->newer;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        dict->newest = entry->older;
    dict->count--;
    free(entry->value);
    free(entry);
}
