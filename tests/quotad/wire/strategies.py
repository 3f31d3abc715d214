"""Values as hypothesis draws them: everything that the wire can carry, not only what the core would accept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from quotad import administration as a
from quotad import records as r
from quotad import values as v

texts = st.text(max_size=12)
counts = st.integers(0, 10**15)
amounts = st.dictionaries(st.sampled_from(["requests", "input_tokens", "cost_microusd"]), counts)
labels = st.dictionaries(texts, texts, max_size=3)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))  # noqa: DTZ001
spans = st.timedeltas(timedelta(), timedelta(days=400))
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Seoul"])

windows = st.builds(v.Window, st.sampled_from(v.WindowKind), st.integers(0, 10**9), zones)
owners = st.builds(v.LimitOwner, texts, texts, texts)
limits = st.builds(v.Limit, texts, windows, counts, texts, st.sampled_from(v.Enforcement), texts)
enforced = st.builds(v.Limit, texts, windows, counts, texts, st.just(v.Enforcement.ENFORCE), texts)
statuses = st.builds(v.LimitStatus, limits, owners, counts, counts, times, st.none() | times)
enforced_statuses = st.builds(v.LimitStatus, enforced, owners, counts, counts, times, st.none() | times)
violations = st.builds(v.Violation, enforced_statuses, counts, st.sampled_from(v.BlockedBy))
denials = st.builds(v.Denial, st.lists(violations, max_size=3).map(tuple), st.none() | spans)
holds = st.builds(v.Hold, texts, texts, times, st.none() | times, counts, counts, counts)
reservations = st.builds(
    v.Reservation,
    reservation_id=texts,
    tenant_id=texts,
    api_key_id=texts,
    model=texts,
    state=st.sampled_from(v.ReservationState),
    requested=amounts,
    reserved=amounts,
    holds=st.lists(holds, max_size=3).map(tuple),
    create_time=times,
    expire_time=times,
    min_amounts=st.just({}),
    actual=amounts,
    settle_time=st.none() | times,
    late=st.booleans(),
    unreserved=st.booleans(),
    basis=st.none() | st.sampled_from(v.Basis),
    labels=labels,
    forced_reason=texts,
)
usage_totals = st.builds(r.UsageTotal, times, texts, texts, texts, counts)
samples = st.builds(r.RefusalSample, times, texts, counts, counts, counts, counts, st.sampled_from(v.BlockedBy))
refusals = st.builds(
    r.RefusalCount,
    minute=times,
    api_key_id=texts,
    limit=limits,
    owner=owners,
    enforcement=st.sampled_from(v.Enforcement),
    refused=counts,
    samples=st.lists(samples, max_size=3).map(tuple),
)
differences = st.builds(r.Difference, texts, texts, times, counts, counts, counts, counts)
policies = st.builds(
    v.KeyPolicies,
    st.sampled_from(v.OnMissingUsage),
    counts,
    st.sampled_from(v.OnQuotadUnavailable),
    st.none() | st.builds(v.UnavailableAllowance, counts, counts),
    st.sampled_from(v.OnUnknownPrice),
    st.none() | st.builds(v.TokenPrice, counts, counts),
)
api_keys = st.builds(
    v.ApiKey,
    api_key_id=texts,
    tenant_id=texts,
    name=texts,
    secret_prefix=texts,
    limits=st.lists(limits, max_size=3).map(tuple),
    create_time=times,
    update_time=times,
    etag=texts,
    disabled=st.booleans(),
    expire_time=st.none() | times,
    delete_time=st.none() | times,
    allowed_models=st.lists(texts, max_size=3).map(tuple),
    policies=policies,
    group_id=texts,
    old_secrets_expire_time=st.none() | times,
)
descriptions = st.builds(
    v.KeyDescription,
    api_keys,
    st.lists(statuses, max_size=2).map(tuple),
    times,
    st.lists(st.builds(v.GroupName, texts, texts), max_size=3).map(tuple),
)
groups = st.builds(
    a.Group,
    group_id=texts,
    tenant_id=texts,
    name=texts,
    parent_group_id=texts,
    limits=st.lists(limits, max_size=3).map(tuple),
    create_time=times,
    update_time=times,
    etag=texts,
    delete_time=st.none() | times,
)
group_descriptions = st.builds(a.GroupDescription, groups, st.lists(statuses, max_size=2).map(tuple), times)
tokens = st.builds(
    a.ServiceToken,
    token_id=texts,
    name=texts,
    role=st.sampled_from(a.TokenRole),
    tenant_ids=st.lists(texts, max_size=3).map(tuple),
    may_charge_unreserved=st.booleans(),
    create_time=times,
    revoke_time=st.none() | times,
)
audit_entries = st.builds(
    a.AuditEntry, texts, texts, times, st.builds(a.Author, texts, texts), texts, texts, texts, texts, texts
)
