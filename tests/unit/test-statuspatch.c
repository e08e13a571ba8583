/* Status patches: single decisions, and apply(diff(a, b), a) = b with the server's merge rules. */
#include "podjson.h"

#include "base/str.h"
#include "pod/statuspatch.h"

static void patches(void **state)
{
	static const struct {
		const char *from, *to, *want; /* want: what is in status; NULL: no patch */
	} rows[] = {
		{ "{}", "{}", NULL },
		{ "{'phase': 'Running'}", "{'phase': 'Running'}", NULL },
		{ "{'phase': 'Pending'}", "{'phase': 'Running'}", "{\"phase\":\"Running\"}" },
		{ "{'phase': 'Failed', 'reason': 'Evicted'}", "{'phase': 'Failed'}",
		  "{\"reason\":null}" },
		{ "{'conditions': [{'type': 'A', 'status': 'True'}, {'type': 'B', 'status': "
		  "'True'}]}",
		  "{'conditions': [{'type': 'A', 'status': 'True'}, {'type': 'B', 'status': "
		  "'False'}]}",
		  "{\"conditions\":[{\"type\":\"B\",\"status\":\"False\"" },
		{ "{'conditions': [{'type': 'A', 'status': 'True', 'reason': 'R'}]}",
		  "{'conditions': [{'type': 'A', 'status': 'True'}]}", "\"reason\":null" },
		{ "{'podIP': '1.1.1.1', 'podIPs': [{'ip': '1.1.1.1'}]}",
		  "{'podIP': '2.2.2.2', 'podIPs': [{'ip': '2.2.2.2'}]}",
		  "\"podIPs\":[{\"ip\":\"2.2.2.2\"},{\"$patch\":\"delete\",\"ip\":\"1.1.1.1\"}]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PROTO void *from = podjson(&core__pod_status__descriptor, rows[i].from);
		AUTO_PROTO void *to = podjson(&core__pod_status__descriptor, rows[i].to);
		AUTO_FREE char *patch = statuspatch_make("uid-1", from, to);

		if (!rows[i].want) {
			assert_null(patch);
			continue;
		}
		assert_non_null(patch);
		assert_true(str_starts(patch, "{\"metadata\":{\"uid\":\"uid-1\"},\"status\":{"));
		if (!strstr(patch, rows[i].want))
			fail_msg("row %zu: %s lacks %s", i, patch, rows[i].want);
	}
}

/* --- the server's side of a strategic merge --- */

static const char *key_of(const char *field)
{
	return str_eq(field, "conditions")                           ? "type"
	       : str_eq(field, "podIPs") || str_eq(field, "hostIPs") ? "ip"
								     : NULL;
}

static void merge_object(struct json_object *into, struct json_object *patch)
{
	json_object_object_foreach(patch, field, value)
	{
		if (value)
			json_object_object_add(into, field, json_object_get(value));
		else
			json_object_object_del(into, field);
	}
}

static const char *text(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

static void merge_list(struct json_object *list, struct json_object *patch, const char *key)
{
	for (size_t i = 0; i < json_object_array_length(patch); i++) {
		struct json_object *p = json_object_array_get_idx(patch, i), *new;
		size_t at = 0, n = json_object_array_length(list);

		while (at < n &&
		       !str_eq(text(json_object_array_get_idx(list, at), key), text(p, key)))
			at++;
		if (json_object_object_get_ex(p, "$patch", NULL)) {
			assert_true(at < n);
			json_object_array_del_idx(list, at, 1);
		} else if (at < n) {
			merge_object(json_object_array_get_idx(list, at), p);
		} else {
			new = json_object_new_object();
			merge_object(new, p);
			json_object_array_add(list, new);
		}
	}
}

static void merge(struct json_object *into, struct json_object *patch)
{
	json_object_object_foreach(patch, field, value)
	{
		struct json_object *old = json_object_object_get(into, field);

		if (!key_of(field)) {
			if (value)
				json_object_object_add(into, field, json_object_get(value));
			else
				json_object_object_del(into, field);
			continue;
		}
		if (!old) {
			old = json_object_new_array();
			json_object_object_add(into, field, old);
		}
		merge_list(old, value, key_of(field));
		if (!json_object_array_length(old))
			json_object_object_del(into, field);
	}
}

/* Merging keeps the server's order of list items: compared as sets. */
static bool same(struct json_object *a, struct json_object *b)
{
	if (json_object_object_length(a) != json_object_object_length(b))
		return false;
	json_object_object_foreach(a, field, value)
	{
		struct json_object *other = json_object_object_get(b, field);

		if (!key_of(field)) {
			if (!json_object_equal(value, other))
				return false;
			continue;
		}
		if (!other || json_object_array_length(value) != json_object_array_length(other))
			return false;
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			bool found = false;

			for (size_t k = 0; k < json_object_array_length(other) && !found; k++)
				found = json_object_equal(json_object_array_get_idx(value, i),
							  json_object_array_get_idx(other, k));
			if (!found)
				return false;
		}
	}
	return true;
}

/* As the server shows it: a null is nothing. */
static struct json_object *canonical(struct json_object *status)
{
	AUTO_PROTO void *msg = NULL;
	struct err e;

	assert_int_equal(codec_from_json(&core__pod_status__descriptor, status, NULL, &msg, &e), 0);
	json_object_put(status);
	return codec_to_json(msg);
}

static void patches_lead_there(void **state)
{
	static const char *const statuses[] = {
		"{}",
		"{'phase': 'Running', 'hostIP': 'h', 'hostIPs': [{'ip': 'h'}]}",
		"{'phase': 'Running', 'reason': 'R', 'message': 'M', 'observedGeneration': 4}",
		"{'conditions': [{'type': 'A', 'status': 'True', 'reason': 'x', 'message': 'y'}]}",
		"{'conditions': [{'type': 'B', 'status': 'False'}, {'type': 'A', 'status': "
		"'True'}]}",
		"{'podIP': '1', 'podIPs': [{'ip': '1'}, {'ip': '2'}], 'startTime': "
		"'2020-01-01T00:00:00Z'}",
		"{'podIP': '2', 'podIPs': [{'ip': '2'}]}",
		"{'containerStatuses': [{'name': 'a', 'ready': true, 'restartCount': 1, 'image': "
		"'i', 'imageID': 'd', 'state': {'running': {}}, 'lastState': {'terminated': "
		"{'exitCode': 1}}}, {'name': 'b', 'image': 'i', 'imageID': '', 'ready': false, "
		"'restartCount': 0, 'state': {'waiting': {'reason': 'W'}}}]}",
		"{'containerStatuses': [{'name': 'b', 'image': 'i', 'imageID': '', 'ready': true, "
		"'restartCount': 0, 'state': {'running': {}}}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(statuses); k++) {
			AUTO_PROTO void *a = podjson(&core__pod_status__descriptor, statuses[i]);
			AUTO_PROTO void *b = podjson(&core__pod_status__descriptor, statuses[k]);
			AUTO_FREE char *patch = statuspatch_make("u", a, b);
			struct json_object *have = codec_to_json(a), *want = codec_to_json(b);
			struct json_object *body = patch ? json_tokener_parse(patch) : NULL;

			if (body)
				merge(have, json_object_object_get(body, "status"));
			have = canonical(have);
			if (!same(have, want))
				fail_msg("%zu to %zu: %s gives %s", i, k, patch,
					 json_object_to_json_string(have));
			json_object_put(body);
			json_object_put(have);
			json_object_put(want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(patches),
					    cmocka_unit_test(patches_lead_there) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
