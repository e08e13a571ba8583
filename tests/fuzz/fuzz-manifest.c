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
	const char *text = (const char *)data;
	AUTO_PROTO Core__Pod *pod = NULL;
	AUTO_PROTO Core__Pod *again = NULL;
	const struct manifest_origin origin = { "node", "file", "/m" };
	Core__Pod **pods;
	struct err e = { 0 };

	if (manifest_read_list(text, size, &origin, &pods, &e) == 0)
		manifest_list_free(pods);

	if (manifest_read(text, size, &origin, &pod, &e) < 0) {
		assert(e.code != ERR_NONE && *e.text);
		return 0;
	}
	assert(pod->spec->n_containers && !str_empty(pod->metadata->uid));
	assert(str_ends(pod->metadata->name, "-node"));
	manifest_stamp(pod, "file", NULL, "now");
	assert(manifest_read(text, size, &origin, &again, &e) == 0);
	assert(str_eq(pod->metadata->uid, again->metadata->uid));
	return 0;
}
