/* + - * / % and the unary minus: no mixed types, no silent overflow. */
#include "cel/program.h"
#include "cel/time.h"
#include <string.h>

static void overflow(struct oc_cel_call *c)
{
    oc_cel_call_error(c, OUTCALL_E_INVALID, "overflow");
}

static void int_arithmetic(struct oc_cel_call *c, uint8_t op, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool over = false;
    if ((op == OC_CEL_DIV || op == OC_CEL_MOD) && b == 0) {
        oc_cel_call_error(c, OUTCALL_E_INVALID, "division by zero");
        return;
    }
    switch (op) {
    case OC_CEL_ADD:
        over = __builtin_add_overflow(a, b, &r);
        break;
    case OC_CEL_SUB:
        over = __builtin_sub_overflow(a, b, &r);
        break;
    case OC_CEL_MUL:
        over = __builtin_mul_overflow(a, b, &r);
        break;
    default:
        over = a == INT64_MIN && b == -1;
        if (!over)
            r = op == OC_CEL_DIV ? a / b : a % b;
        break;
    }
    if (over)
        overflow(c);
    else
        *c->out = oc_cel_int(r);
}

static void uint_arithmetic(struct oc_cel_call *c, uint8_t op, uint64_t a, uint64_t b)
{
    uint64_t r = 0;
    bool over = false;
    if ((op == OC_CEL_DIV || op == OC_CEL_MOD) && b == 0) {
        oc_cel_call_error(c, OUTCALL_E_INVALID, "division by zero");
        return;
    }
    switch (op) {
    case OC_CEL_ADD:
        over = __builtin_add_overflow(a, b, &r);
        break;
    case OC_CEL_SUB:
        over = __builtin_sub_overflow(a, b, &r);
        break;
    case OC_CEL_MUL:
        over = __builtin_mul_overflow(a, b, &r);
        break;
    default:
        r = op == OC_CEL_DIV ? a / b : a % b;
        break;
    }
    if (over)
        overflow(c);
    else
        *c->out = oc_cel_uint(r);
}

/* Division by zero is infinite or NaN here, as IEEE 754 has it. */
__attribute__((no_sanitize("float-divide-by-zero"))) static double divide(double a, double b)
{
    return a / b;
}

static void concat(struct oc_cel_call *c, const oc_cel_value *a, const oc_cel_value *b)
{
    size_t unit = a->kind == OUTCALL_CEL_LIST ? sizeof(oc_cel_value) : 1;
    if (!oc_cel_spend(&c->ev->budget, (a->n + b->n) / 64)) {
        oc_cel_fatal(c->ev, c->pos, c->out, OUTCALL_E_LIMIT);
        return;
    }
    char *p = oc_cel_scratch(c, (a->n + b->n) * unit);
    if (!p)
        return;
    if (a->n > 0)
        memcpy(p, a->s, a->n * unit);
    if (b->n > 0)
        memcpy(p + a->n * unit, b->s, b->n * unit);
    *c->out = (oc_cel_value){.kind = a->kind, .s = p, .n = a->n + b->n};
}

static bool same_kind(struct oc_cel_call *c, uint8_t op, const oc_cel_value *a, const oc_cel_value *b)
{
    switch (a->kind) {
    case OUTCALL_CEL_INT:
        int_arithmetic(c, op, a->i, b->i);
        return true;
    case OUTCALL_CEL_UINT:
        uint_arithmetic(c, op, a->u, b->u);
        return true;
    case OUTCALL_CEL_DOUBLE:
        if (op == OC_CEL_MOD)
            return false;
        *c->out = oc_cel_double(op == OC_CEL_ADD   ? a->d + b->d
                                : op == OC_CEL_SUB ? a->d - b->d
                                : op == OC_CEL_MUL ? a->d * b->d
                                                   : divide(a->d, b->d));
        return true;
    case OUTCALL_CEL_STRING:
    case OUTCALL_CEL_BYTES:
    case OUTCALL_CEL_LIST:
        if (op != OC_CEL_ADD)
            return false;
        concat(c, a, b);
        return true;
    default:
        return false;
    }
}

void oc_cel_arithmetic(struct oc_cel_call *c, uint8_t op, const oc_cel_value *a, const oc_cel_value *b)
{
    static const char signs[] = "+-*/%";
    if (op == OC_CEL_NEG) {
        if (a->kind == OUTCALL_CEL_DOUBLE)
            *c->out = oc_cel_double(-a->d);
        else if (a->kind == OUTCALL_CEL_INT)
            int_arithmetic(c, OC_CEL_SUB, 0, a->i);
        else
            oc_cel_call_error(c, OUTCALL_E_TYPE, "no such operation: -%s", oc_cel_kind_name(a->kind));
        return;
    }
    if (a->kind == b->kind && same_kind(c, op, a, b))
        return;
    if ((op == OC_CEL_ADD || op == OC_CEL_SUB) && oc_cel_time_arithmetic(c, op == OC_CEL_SUB, a, b))
        return;
    oc_cel_call_error(c, OUTCALL_E_TYPE, "no such operation: %s %c %s", oc_cel_kind_name(a->kind),
                      signs[op - OC_CEL_ADD], oc_cel_kind_name(b->kind));
}
