#include "footprint.h"
#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENAS_MAX 2 /* a request waits for the engine, not for malloc */

void footprint_limit(void)
{
    (void)mallopt(M_ARENA_MAX, ARENAS_MAX);
}

/* Where the loader put it, which it tells as a number. */
static void *placed(const struct dl_phdr_info *object, uintptr_t address)
{
    return (void *)(object->dlpi_addr + address); /* NOLINT(performance-no-int-to-ptr): see above */
}

/* Was the object's code relocated in memory? Then its pages are not the file's. */
static int is_patched(const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type != PT_DYNAMIC)
            continue;
        for (const ElfW(Dyn) *d = placed(object, p->p_vaddr); d->d_tag != DT_NULL; d++)
            if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && (d->d_un.d_val & DF_TEXTREL)))
                return 1;
    }
    return 0;
}

/* Code and constants that only the start has looked at: libcurl alone brings thirty libraries, whose symbols
 * and constructors are read once. The pages are the file's own, so they come back by themselves, from the
 * page cache, when they are touched again. */
static int forget_pages(struct dl_phdr_info *object, size_t size, void *userdata)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)userdata;
    if (is_patched(object))
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
            continue;
        uintptr_t begin = p->p_vaddr & ~(page - 1);
        uintptr_t end = (p->p_vaddr + p->p_filesz + page - 1) & ~(page - 1);
        (void)madvise(placed(object, begin), end - begin, MADV_DONTNEED);
    }
    return 0;
}

void footprint_trim(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(forget_pages, NULL);
}
