/* What kube-proxy leaves in the kernel when another proxy takes its place: --cleanup. Effect (runs
 * nft and the iptables programs, where they are installed; waits for them).
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Pure: what iptables-restore --noflush has to be told so that kube-proxy's chains, and the rules
 * that lead to them, go. saved is what iptables-save printed. Chains of the kubelet, and all else,
 * stay. Empty: there is nothing. */
void leftovers_script(const char *saved, struct str *out);

/* Removes kube-proxy's nftables tables and iptables chains. What is not there is success. */
int leftovers_remove(struct err *e);
