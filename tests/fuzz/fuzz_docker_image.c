/* Image references: what is accepted reads back as the same reference. */
#include "base/str.h"
#include "docker/image.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oc_image_ref ref, again;
    char whole[OC_IMAGE_TEXT_SIZE];
    outcall_error err = OUTCALL_ERROR_INIT;
    char *text = strndup((const char *)data, size);
    if (!text)
        abort();
    int r = oc_image_ref_parse(text, &ref, &err);
    if (r != err.code || (r != 0 && r != OUTCALL_E_INVALID))
        abort();
    if (r == 0) {
        oc_image_ref_format(&ref, whole);
        if (oc_has_control(text, strlen(text)) || oc_image_ref_parse(whole, &again, NULL) < 0 ||
            strcmp(ref.name, again.name) != 0 ||
            strcmp(oc_image_ref_version(&ref), oc_image_ref_version(&again)) != 0)
            abort();
    }
    free(text);
    return 0;
}
