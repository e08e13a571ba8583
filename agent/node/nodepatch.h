/* The difference of two Nodes as a strategic merge patch for /status. Pure. */
#pragma once

#include "k8s/core.pb-c.h"

/* Labels, annotations and status only; compact JSON on the heap, NULL when nothing differs. */
char *nodepatch_text(const Core__Node *before, const Core__Node *after);
