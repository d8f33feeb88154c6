/* docker/image.h - image references. Source: the grammar of distribution's "reference" package. */
#ifndef DOCKER_IMAGE_H
#define DOCKER_IMAGE_H
#include "base/base.h"

#define OC_IMAGE_NAME_MAX 255 /* host, port and path together */
#define OC_IMAGE_TAG_MAX  128

struct oc_image_ref {
    char name[OC_IMAGE_NAME_MAX + 1]; /* "busybox", "localhost:5000/team/agent" */
    char tag[OC_IMAGE_TAG_MAX + 1];   /* "" = none given */
    char digest[80];                  /* "sha256:" and 64 hex digits, or "" */
};

/* OUTCALL_E_INVALID (kind INVALID_REQUEST), the text names the image and what was expected. */
OC_NODISCARD int oc_image_ref_parse(const char *text, struct oc_image_ref *ret, outcall_error *err);

/* What decides which image it is: the digest, else the tag, else "latest". Borrowed from ref. */
const char *oc_image_ref_version(const struct oc_image_ref *ref);

/* "name:tag" or "name@digest", as the engine knows it. */
#define OC_IMAGE_TEXT_SIZE (OC_IMAGE_NAME_MAX + 1 + OC_IMAGE_TAG_MAX + 1)
void oc_image_ref_format(const struct oc_image_ref *ref, char ret[OC_IMAGE_TEXT_SIZE]);

#endif
