/* The kernel's table of routes, and the choice of a subnet beside it. */
#include "network/subnet.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oc_taken_list l = {NULL, 0, 0};
    struct oc_cidr block = {.addr = 0x0ac80000, .bits = 16}, picked = {.addr = 0, .bits = 0};
    char *table = calloc(1, size + 1);
    if (!table)
        return 0;
    memcpy(table, data, size);
    if (oc_taken_by_routes(&l, table) == 0) {
        for (size_t i = 0; i < l.n; i++)
            if (l.v[i].cidr.bits > 32 || (l.v[i].cidr.addr & ~oc_cidr_mask(l.v[i].cidr.bits)) != 0 ||
                !l.v[i].by[0])
                abort();
        if (oc_subnet_pick(&l, block, 1, &picked) == 0 &&
            (picked.bits != 24 || !oc_cidr_contains(block, picked.addr) || oc_taken_find(&l, picked)))
            abort();
    }
    oc_taken_done(&l);
    free(table);
    return 0;
}
