"""The log, the projections, the daemon itself: what took the place of caches, profilers, adapters and the event bus."""

import os

from expect import a_map, at_least, case, every, ids, some

PROJECTIONS = {"user", "point", "mission", "narrative", "achievement", "config", "log"}


def all_projections(items):
    return PROJECTIONS <= {item["name"] for item in items}


def rebuilt(*names):
    return {"rebuilt": lambda got: set(names) <= set(got)}


USER = {"id": 123, "username": "user123"}

# ---- caches

for name in ("CacheBackend.get", "CacheLayer.get", "CacheLayer.get_or_set"):
    case(name, USER)
case("CacheBackend.exists", {"items": ids(123), "missing": []})
for name in ("CacheBackend.clear", "QueryOptimizer.clear_cache", "RepositoryServiceAdapter.clear_caches"):
    case(name, rebuilt("user", "point"), then=[("point.verify", {}, {"ok": True})])
for name in ("CacheBackend.clear_pattern", "CacheLayer.invalidate_pattern"):
    case(name, rebuilt("user"), then=[("user.get", {"id": 123}, USER)])
for name in (
    "MemoryCacheBackend.get_stats",
    "CacheLayer.get_stats",
    "QueryOptimizer.get_cache_stats",
    "README.cache statistics",
):
    case(name, {"views": {"lookups": at_least(0), "overlay_rows": at_least(0)}})
case(
    "CacheLayer.reset_stats",
    {"calls": a_map, "commits": a_map},
    then=[("server.stats", {"section": "calls"}, {"calls": lambda calls: "user.create user" not in calls})],
)
case(
    "CacheLayer.batch_operations",
    {"results": [{"result": {"id": 1}}, lambda got: got.get("error", {}).get("code") == "not_found"]},
)
case("caching.cache_result", {"id": 123, "balance": 405, "stats": some, "engagement": some})
case("caching.get_cache_layer", {"items": all_projections})
for name in ("CacheableMixin.cache_warm_up", "README.query caching"):
    case(name, {"name": "user", "lag": 0, "state": "live", "fingerprint": some})
case("RepositoryServiceAdapter.warm_up_caches", {"name": "point", "lag": 0, "state": "live"})
for name in ("CacheableMixin.cache_health_check", "RepositoryServiceAdapter.get_system_health", "README.health checks"):
    case(name, {"status": "ok", "projections": all_projections, "checks": every(ok=True)})

# ---- statistics and profiles

case("QueryOptimizer.get_cached_result", {"total": at_least(244)})
for name in (
    "IndexRecommendation.record_query_pattern",
    "IndexRecommendation.get_index_recommendations",
    "README.index recommendations",
    "README.usage patterns",
):
    case(
        name,
        {"lists": lambda items: [(i["filters"], i["index"]) for i in items] == [("role", "user_by_role")]},
        given=[("user.list", {"role": "vip"})],
    )
case("QueryProfiler.profile_query", {"threshold_us": 1000, "items": []})
case(
    "QueryProfiler.get_performance_report",
    {"calls": {"user.get user": {"count": 1, "errors": {}}}},
    given=[("user.get", {"id": 123})],
)
for name in ("QueryProfiler.get_optimization_suggestions", "README.query profiling"):
    case(
        name,
        {"items": lambda items: any(i["method"] == "user.list" and i["index"] == "user_by_role" for i in items)},
        given=[("server.slowlog", {"threshold_us": 0}), ("user.list", {"role": "vip"})],
    )
for name in ("RepositoryServiceAdapter.get_performance_metrics", "README.performance metrics"):
    case(
        name,
        {"calls": a_map, "commits": {"count": at_least(0)}, "storage": {"log_bytes": some}, "subscriptions": a_map},
    )
case(
    "RepositoryServiceAdapter.optimize_system",
    {"bytes": some, "seq": at_least(244), "time_ms": at_least(0)},
    params=lambda p, w: dict(p, path=os.path.join(w.daemon.dir, "backup")),
)

# ---- methods and adapters


def described(method):
    return {
        "items": lambda items: items[0]["method"] == method and items[0]["params"] and items[0]["errors"] is not None
    }


case("RepositoryServiceAdapter.get_user_repository", described("user.get"))
case("RepositoryServiceAdapter.get_point_repository", described("point.get"))
case("RepositoryServiceAdapter.get_mission_repository", described("mission.get"))
case("RepositoryServiceAdapter.get_narrative_repository", described("narrative.get"))
case("RepositoryServiceAdapter.get_all_repositories", {"items": all_projections})
case(
    "LegacyServiceMigrationHelper.migrate_user_operations",
    {"results": [{"result": {"item": {"id": 1}, "changed": False}}]},
)
case(
    "LegacyServiceMigrationHelper.migrate_point_operations",
    {"transactions": [{"user_id": 1, "amount": 120.5, "source": "migration", "multiplier": 1}]},
)
case(
    "LegacyServiceMigrationHelper.get_migration_log",
    {"items": lambda items: every(actor="migration")(items) and items[0]["type"] == "point.credited"},
    given=[("point.award", {"user_id": 456, "amount": 7, "source": "migration", "actor": "migration"})],
)
case("README.bulk operations", {"results": [{"result": {"item": {"id": 3}}}, {"result": {"balance": 5}}]})
case("README.feature flags for migration", {"items": [{"id": "flag.use_ledger", "value": True}]})

# ---- the event bus


def auctions_from_the_start(items):
    types = [item["type"] for item in items]
    return types[:2] == ["auction.created", "auction.started"] and all(t.startswith("auction.") for t in types)


case(
    "README.change notification",
    {"subscription_id": some, "head_seq": at_least(244)},
    pushed={"subscription_id": some, "items": auctions_from_the_start, "head_seq": at_least(244)},
)
case("EventBus.subscribe", {"subscription_id": some, "head_seq": at_least(244)})
case("EventBus.unsubscribe", {}, given=[("log.subscribe", {})])
case("EventBus.get_event_history", {"items": lambda items: len(items) == 100 and items[0]["seq"] > items[1]["seq"]})
case("ReconciliationService.perform_full_reconciliation", {"ok": True, "users": at_least(244), "mismatches": []})
