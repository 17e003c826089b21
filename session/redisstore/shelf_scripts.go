package redisstore

// Each kind of the cupboard is a few keys of one slot, whose names begin with KEYS[1]:
//
//	:r  hash    records: version, until, length of person, person, value
//	:e  zset    until when each lasts, in µs
//	:k  zset    their keys in order
//	:p:…  zset  those of one person
//
// and where the kind is watched:
//
//	:n  string  how many changes there were
//	:w  zset    the last change of each record, also of those that are gone
//	:t  zset    until when those that are gone are told of
//	:g  hash    whose they were
//
// The scripts get the time from the caller, as all do here.

// shelfCommon begins each script.
//
//	ARGV  now in µs, 1 where the kind is watched
const shelfCommon = `
local base, now, watched = KEYS[1], tonumber(ARGV[1]), ARGV[2] == '1'
local r, e, k, n, w, t, g = base .. ':r', base .. ':e', base .. ':k', base .. ':n', base .. ':w', base .. ':t', base .. ':g'
local function text(x) return string.format('%.0f', x) end
local function split(raw)
	local version, till, size = struct.unpack('>i8i8H', raw)
	return version, till, string.sub(raw, 19, 18 + size)
end
local function get(key)
	local raw = redis.call('HGET', r, key)
	if not raw then return nil end
	local version, till, person = split(raw)
	if till <= now then return nil end
	return raw, version, till, person
end
local function forget(key)
	local raw = redis.call('HGET', r, key)
	if raw then
		local _, _, person = split(raw)
		if person ~= '' then redis.call('ZREM', base .. ':p:' .. person, key) end
	end
	redis.call('HDEL', r, key)
	redis.call('ZREM', e, key)
	redis.call('ZREM', k, key)
	if watched then
		redis.call('ZREM', w, key)
		redis.call('ZREM', t, key)
		redis.call('HDEL', g, key)
	end
end
local function last(zset)
	local found = redis.call('ZRANGE', zset, -1, -1, 'WITHSCORES')[2]
	return found and tonumber(found) or now
end
local function stay()
	local life = text(math.max(last(e), last(t)) / 1000 - now / 1000 + 1000)
	for _, key in ipairs({r, e, k, w, t, g}) do redis.call('PEXPIRE', key, life) end
end
local function changed(key)
	redis.call('ZADD', w, text(redis.call('INCR', n)), key)
end
local function set(key, version, till, person, value)
	redis.call('HSET', r, key, struct.pack('>i8i8H', version, till, #person) .. person .. value)
	redis.call('ZADD', e, text(till), key)
	redis.call('ZADD', k, 0, key)
	if person ~= '' then
		local of = base .. ':p:' .. person
		redis.call('ZADD', of, text(till), key)
		redis.call('PEXPIRE', of, text((last(of) - now) / 1000 + 1000))
	end
	if watched then
		changed(key)
		redis.call('ZREM', t, key)
		redis.call('HDEL', g, key)
	end
	stay()
end
local function take(key, till, person)
	forget(key)
	if watched then
		changed(key)
		redis.call('ZADD', t, text(till), key)
		redis.call('HSET', g, key, person)
		stay()
	end
end
local function sweep()
	for _, zset in ipairs({e, t}) do
		for _, key in ipairs(redis.call('ZRANGEBYSCORE', zset, '-inf', text(now), 'LIMIT', 0, 100)) do forget(key) end
	end
end
local function live(zset)
	return redis.call('ZCOUNT', zset, '(' .. text(now), '+inf')
end
`

// ARGV  …, key, person, until, value, most on the shelf, most of a person
// answers 1, 0 where it exists, -1 where it is full
const shelfPut = shelfCommon + `
sweep()
local key, person, till = ARGV[3], ARGV[4], tonumber(ARGV[5])
if get(key) then return 0 end
if redis.call('HEXISTS', r, key) == 1 then forget(key) end
if live(e) >= tonumber(ARGV[7]) or (person ~= '' and live(base .. ':p:' .. person) >= tonumber(ARGV[8])) then return -1 end
if till > now then set(key, 1, till, person, ARGV[6]) end
return 1`

// ARGV  …, key
// answers the record, or nil
const shelfGet = shelfCommon + `
return get(ARGV[3]) or false`

const shelfTake = shelfCommon + `
local raw, _, till, person = get(ARGV[3])
if not raw then return false end
take(ARGV[3], till, person)
return raw`

// ARGV  …, key, version, until, value
// answers the person, 0 where there is none, -1 where the version is another
const shelfSwap = shelfCommon + `
local raw, version, _, person = get(ARGV[3])
if not raw then return 0 end
if version ~= tonumber(ARGV[4]) then return -1 end
local till = tonumber(ARGV[5])
if till > now then
	set(ARGV[3], version + 1, till, person, ARGV[6])
else
	take(ARGV[3], till, person)
end
return 'p' .. person`

// ARGV  …, person, after, limit
// answers keys and records in turn
const shelfList = shelfCommon + `
local person, after, limit, found = ARGV[3], ARGV[4], tonumber(ARGV[5]), {}
local function add(key)
	local raw = get(key)
	if raw then
		found[#found + 1] = key
		found[#found + 1] = raw
	end
	return #found >= 2 * limit
end
if person ~= '' then
	local keys = redis.call('ZRANGEBYSCORE', base .. ':p:' .. person, '(' .. text(now), '+inf')
	table.sort(keys)
	for _, key in ipairs(keys) do
		if key > after and add(key) then break end
	end
	return found
end
local from = after == '' and '-' or '(' .. after
while true do
	local keys = redis.call('ZRANGEBYLEX', k, from, '+', 'LIMIT', 0, limit)
	for _, key in ipairs(keys) do
		if add(key) then return found end
	end
	if #keys < limit then return found end
	from = '(' .. keys[#keys]
end`

// ARGV  …, person
// answers how many
const shelfEnd = shelfCommon + `
local count = 0
for _, key in ipairs(redis.call('ZRANGE', base .. ':p:' .. ARGV[3], 0, -1)) do
	local raw, _, till, person = get(key)
	if raw then
		take(key, till, person)
		count = count + 1
	end
end
return count`

const shelfLen = shelfCommon + `
return live(e)`

// ARGV  …, since, limit
// answers number, key, record or ”, person in turn
const shelfWatch = shelfCommon + `
local since, limit, found = ARGV[3], tonumber(ARGV[4]), {}
while true do
	local page = redis.call('ZRANGEBYSCORE', w, '(' .. since, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
	for i = 1, #page, 2 do
		local key = page[i]
		since = text(tonumber(page[i + 1]))
		local raw, person = get(key), ''
		local gone = not raw and redis.call('ZSCORE', t, key)
		if raw or (gone and tonumber(gone) > now) then
			for _, part in ipairs({since, key, raw or '', redis.call('HGET', g, key) or ''}) do found[#found + 1] = part end
			if #found >= 4 * limit then return found end
		end
	end
	if #page < 2 * limit then return found end
end`
