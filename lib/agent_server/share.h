/* agent_server/share.h - how much of the server's thread one container may take while others ask too. */
#ifndef AGENT_SERVER_SHARE_H
#define AGENT_SERVER_SHARE_H
#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing was taken yet. Times are of oc_now_ns. */
struct oc_share {
    uint64_t paid_until_ns;
};

/* A run took that much processor time. */
void oc_share_charge(struct oc_share *s, uint64_t took_ns, uint64_t now_ns);
/* Is it to be left alone from now on? */
bool oc_share_spent(const struct oc_share *s, uint64_t now_ns);
/* It was left alone: is it to be served again? */
bool oc_share_back(const struct oc_share *s, uint64_t now_ns);

#endif
