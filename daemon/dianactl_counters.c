#include "daemon/dianactl_counters.h"

#include "daemon/client_object.h"

/* Sections come as a list of maps, or as a map by method. */
static const msgpack_object *section_entry(const msgpack_object *section, size_t index)
{
	if (section == NULL)
		return NULL;
	if (section->type == MSGPACK_OBJECT_MAP && index < section->via.map.size)
		return &section->via.map.ptr[index].val;
	return client_object_at(section, index);
}

static uint64_t sum_values(const msgpack_object *map)
{
	uint64_t sum = 0;

	if (map == NULL)
		return 0;
	if (map->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		return map->via.u64;
	for (uint32_t i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
		if (map->via.map.ptr[i].val.type == MSGPACK_OBJECT_POSITIVE_INTEGER)
			sum += map->via.map.ptr[i].val.via.u64;
	}
	return sum;
}

uint64_t dianactl_counters_calls(const msgpack_object *stats, uint64_t *ret_refused)
{
	const msgpack_object *section = client_object_get(stats, "calls");
	const msgpack_object *items = client_object_get(section, "items");
	const msgpack_object *entry;
	uint64_t count = 0;

	*ret_refused = 0;
	for (size_t i = 0; (entry = section_entry(items != NULL ? items : section, i)) != NULL; i++) {
		count += client_object_uint(entry, "count", 0);
		*ret_refused += sum_values(client_object_get(entry, "errors"));
	}
	return count;
}
