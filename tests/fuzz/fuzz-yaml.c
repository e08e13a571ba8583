/* YAML text: trees, kubeconfigs. Property: an accepted tree is small enough to print. */
#include <assert.h>
#include <stdint.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "kube/kubeconfig.h"
#include "kube/quantity.h"
#include "kube/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 200 };

/* Small texts are also what quantities, times and durations are read from. */
static void check_values(const char *text)
{
	struct quantity q, again;
	char canonical[QUANTITY_TEXT], duration[KUBE_DURATION_TEXT];
	int64_t n, m;

	if (!quantity_parse(text, &q, NULL)) {
		quantity_text(&q, canonical);
		assert(!quantity_parse(canonical, &again, NULL));
		assert(!quantity_cmp(&q, &again));
		(void)quantity_milli(&q);
	}
	if (!kube_duration_parse(text, &n, NULL)) {
		kube_duration_format(n, duration);
		assert(!kube_duration_parse(duration, &m, NULL) && n == m);
	}
	(void)kube_time_parse(text, &n, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(kube_credentials_freep) struct kube_credentials *c = NULL;
	AUTO_JSON struct json_object *list = NULL;
	AUTO_FREE char *text = mem_calloc(size + 1, 1);
	char **duplicates = NULL;
	struct str out = { 0 };

	memcpy(text, data, size);
	if (size < TEXT_MAX)
		check_values(text);
	if (!yaml_parse_all(text, size, &list, &duplicates, NULL)) {
		json_print(list, true, &out);
		assert(out.len <= 64 * (size + 1) * 1000);
	}
	strv_free(duplicates);
	str_fini(&out);
	/* inline data only: no paths are opened that the fuzzer made up */
	if (!strstr(text, "client-") && !strstr(text, "certificate-authority"))
		(void)kubeconfig_parse(text, size, "/nonexistent", &c, NULL);
	return 0;
}
