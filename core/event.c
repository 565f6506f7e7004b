#include "core/event.h"

enum { DIGEST_LEN = 32, DATA_DEPTH = 12 };

void envelope_encode(struct buf *b, const struct envelope *e)
{
	assert(e->tag != 0 && e->seq >= e->commit && e->commit > 0);
	mp_put_array(b, EVENT_ELEMENTS);
	mp_put_uint8(b, e->tag);
	mp_put_uint64(b, e->seq);
	mp_put_uint64(b, e->seq - e->commit);
	mp_put_uint64(b, e->version);
	mp_put_int64(b, e->at);
	mp_put_text(b, e->stream);
	mp_put_text(b, e->method);
	if (e->has_peer)
		mp_put_int64(b, e->peer);
	else
		mp_put_nil(b);
	if (e->cause != 0)
		mp_put_uint64(b, e->seq - e->cause);
	else
		mp_put_nil(b);
	mp_put_text_or_nil(b, e->actor);
	mp_put_text_or_nil(b, e->note);
	if (e->key.base == NULL) {
		mp_put_nil(b);
	} else {
		assert(e->digest.len == DIGEST_LEN);
		mp_put_array(b, 3);
		mp_put_text(b, e->key);
		mp_put_bin(b, e->digest.len);
		buf_append(b, e->digest.base, e->digest.len);
		buf_append(b, e->result.base, e->result.len);
	}
	buf_append(b, e->data.base, e->data.len);
}

static bool nullable_text(struct mp *m, struct slice *ret)
{
	*ret = SLICE_NULL;
	return mp_nil(m) || mp_str(m, ret);
}

static bool idempotency(struct mp *m, struct envelope *e)
{
	uint32_t n;

	e->key = e->digest = e->result = SLICE_NULL;
	if (mp_nil(m))
		return true;
	return mp_array(m, &n) && n == 3 && mp_str(m, &e->key) && mp_bin(m, &e->digest) &&
	       e->digest.len == DIGEST_LEN && mp_peek(m) == MP_ARRAY && mp_raw(m, DATA_DEPTH, &e->result);
}

bool envelope_decode(struct slice bytes, struct envelope *e)
{
	struct mp m = mp_of(bytes);
	uint64_t tag, back, cause = 0;
	uint32_t n;

	if (!mp_array(&m, &n) || n != EVENT_ELEMENTS || !mp_uint(&m, &tag) || tag == 0 || tag > EVENT_TAG_MAX ||
	    !mp_uint(&m, &e->seq) || !mp_uint(&m, &back) || back >= e->seq || !mp_uint(&m, &e->version) ||
	    !mp_int(&m, &e->at) || !mp_str(&m, &e->stream) || !mp_str(&m, &e->method))
		return false;
	e->tag = (uint8_t)tag;
	e->commit = e->seq - back;
	e->peer = 0;
	e->has_peer = !mp_nil(&m);
	if (e->has_peer && !mp_int(&m, &e->peer))
		return false;
	if (!mp_nil(&m) && (!mp_uint(&m, &cause) || cause == 0 || cause > back))
		return false;
	e->cause = cause ? e->seq - cause : 0;
	if (!nullable_text(&m, &e->actor) || !nullable_text(&m, &e->note) || !idempotency(&m, e))
		return false;
	return mp_peek(&m) == MP_ARRAY && mp_raw(&m, DATA_DEPTH, &e->data) && m.p == m.end;
}

bool envelope_peek(struct slice bytes, uint8_t *ret_tag, uint64_t *ret_seq)
{
	struct mp m = mp_of(bytes);
	uint64_t tag;
	uint32_t n;

	if (!mp_array(&m, &n) || !mp_uint(&m, &tag) || tag == 0 || tag > EVENT_TAG_MAX || !mp_uint(&m, ret_seq))
		return false;
	*ret_tag = (uint8_t)tag;
	return true;
}
