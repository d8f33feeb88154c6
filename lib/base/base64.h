/* base/base64.h - RFC 4648 section 4, with padding. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H
#include "base/buf.h"

/* Appends the encoded bytes. 0, OUTCALL_E_NO_MEMORY, _LIMIT. */
OC_NODISCARD int oc_base64_encode(struct oc_buf *b, const void *data, size_t len);

#endif
