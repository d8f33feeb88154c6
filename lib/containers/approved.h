/* containers/approved.h - what a container may have mounted, as it was approved when it was made. It is kept
 * in a label of the container, where nobody can change it afterwards, and says everything by itself: neither
 * the order nor the words in which an engine describes its mounts matter. */
#ifndef CONTAINERS_APPROVED_H
#define CONTAINERS_APPROVED_H
#include "containers/body.h"

#define OC_APPROVED_MAX 256 /* our own mounts, the caller's 64, and an image's VOLUMEs */

struct oc_approved {
    outcall_expected_mount v[OC_APPROVED_MAX]; /* targets borrowed from label; dev and ino: binds only */
    const char *volume[OC_APPROVED_MAX];       /* a named volume's name, borrowed from label; else NULL */
    size_t n;
    json_t *label;
};

/* The label's text for these mounts, and for the tmpfs at /tmp unless one of them lies there: {"TARGET":
 * "bind:DEV:INO:ro", "TARGET": "volume:rw:NAME", "TARGET": "tmpfs"}. New; NULL: out of memory. */
char *oc_approved_text(const struct oc_body_mount *mounts, size_t n);
/* Reads it back; a text that this version did not write is OUTCALL_E_DENIED (MOUNT_DENIED).
 * oc_approved_done, whatever happened. */
OC_NODISCARD int oc_approved_parse(const char *text, struct oc_approved *ret, outcall_error *err);
void oc_approved_done(struct oc_approved *a);

/* Its place in a, or -1. */
int oc_approved_find(const struct oc_approved *a, const char *target);

#endif
