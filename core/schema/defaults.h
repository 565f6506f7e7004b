/*
 * No include guard: included before and after each expansion of the .def files. What the including file has
 * not defined expands to nothing; SCHEMA_DONE undefines everything again.
 */
#ifndef SCHEMA_DONE

#ifndef RECORD
#define RECORD(name, doc)
#define END_RECORD
#define FIELD(name, KIND, doc, ...)
#define FIELD_AS(name, KIND, wire, doc, ...)
#define OPT(name, KIND, doc, ...)
#define NEST(name, rec, doc, ...)
#define NEST_OPT(name, rec, doc, ...)
#define FLAT(name, rec, doc, ...)
#define PATCH(name, rec, doc)
#define LIST(name, KIND, max, doc, ...)
#define LIST_OF(name, rec, max, doc, ...)
#define CHANGES(name, rec, doc)
#endif
#ifndef PROJECTION
#define PROJECTION(name, version, doc)
#endif
#ifndef TABLE
#define TABLE(name, projection, KEYS, rec, doc)
#endif
#ifndef TABLE_FEW
#define TABLE_FEW TABLE
#endif
#ifndef TABLE_SET
#define TABLE_SET(name, projection, KEYS, doc)
#endif
#ifndef TABLE_COUNTED
#define TABLE_COUNTED(name, projection, KEYS, doc)
#endif
#ifndef STREAM
#define STREAM(name, prefix, KIND, table)
#endif
#ifndef STREAM2
#define STREAM2(name, prefix, KIND, KIND2, table)
#endif
#ifndef EVENT2
#define EVENT2(tag, rec, wire, stream, path, path2, doc)
#endif
#ifndef COMMAND2
#define COMMAND2(name, wire, kind, result, stream, path, path2, errors, events, doc)                                   \
	COMMAND(name, wire, kind, result, stream, path, errors, events, doc)
#endif
#ifndef SETTING_TEXTS
#define SETTING_TEXTS(name, key, dflt, lo, hi, doc)
#endif
#ifndef EVENT
#define EVENT(tag, rec, wire, stream, path, doc)
#endif
#ifndef EVENT_OLD
#define EVENT_OLD(tag, old, rec, doc)
#endif
#ifndef COMMAND
#define COMMAND(name, wire, kind, result, stream, path, errors, events, doc)
#endif
#ifndef COMMAND_NEW
#define COMMAND_NEW(name, wire, kind, result, stream, errors, events, doc)
#endif
#ifndef COMMAND_VIA
#define COMMAND_VIA COMMAND_NEW
#endif
#ifndef KIND_REQUIRED
#define KIND_REQUIRED(wire)
#endif
#ifndef COMMAND_MANY
#define COMMAND_MANY(name, wire, kind, result, errors, events, doc)
#endif
#ifndef COMMAND_ADMIN
#define COMMAND_ADMIN COMMAND_MANY
#endif
#ifndef QUERY
#define QUERY(name, wire, kind, errors, doc)
#endif
#ifndef QUERY_WORKER
#define QUERY_WORKER QUERY
#endif
#ifndef SERVICE
#define SERVICE(name, wire, flags, errors, events, doc)
#endif
#ifndef TIMER
#define TIMER(name, events, doc)
#endif
#ifndef SETTING
#define SETTING(name, key, KIND, dflt, lo, hi, doc)
#endif

#else

#undef RECORD
#undef END_RECORD
#undef FIELD
#undef FIELD_AS
#undef OPT
#undef NEST
#undef NEST_OPT
#undef FLAT
#undef PATCH
#undef LIST
#undef LIST_OF
#undef CHANGES
#undef PROJECTION
#undef TABLE
#undef TABLE_FEW
#undef TABLE_SET
#undef TABLE_COUNTED
#undef STREAM
#undef STREAM2
#undef EVENT2
#undef COMMAND2
#undef SETTING_TEXTS
#undef EVENT
#undef EVENT_OLD
#undef COMMAND
#undef COMMAND_NEW
#undef COMMAND_VIA
#undef KIND_REQUIRED
#undef COMMAND_MANY
#undef COMMAND_ADMIN
#undef QUERY
#undef QUERY_WORKER
#undef SERVICE
#undef TIMER
#undef SETTING
#undef SCHEMA_DONE

#endif
