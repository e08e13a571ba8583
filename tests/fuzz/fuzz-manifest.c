/* Manifests, as anybody may drop them into a directory. Property: what is taken is taken again, as
 * the same pod, and has what the rest of the agent relies on. */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "pod/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = mem_strndup((const char *)data, size);
	AUTO_PROTO Core__Pod *pod = NULL;
	AUTO_PROTO Core__Pod *again = NULL;
	struct err e = { 0 };

	if (manifest_read(text, size, "node", "/m", &pod, &e) < 0) {
		assert(e.code != ERR_NONE && *e.text);
		return 0;
	}
	assert(pod->spec->n_containers && !str_empty(pod->metadata->uid));
	assert(str_ends(pod->metadata->name, "-node"));
	manifest_stamp(pod, NULL, "now");
	assert(manifest_read(text, size, "node", "/m", &again, &e) == 0);
	assert(str_eq(pod->metadata->uid, again->metadata->uid));
	return 0;
}
