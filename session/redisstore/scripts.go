package redisstore

// The scripts each touch one key, so that in a cluster they run wherever it is. They
// get the time from the caller: sessions expire by the store's clock, and Redis's
// own expiry only clears away what has. Offsets are those of record.go, plus one.
//
// They are sent whole, a few hundred bytes beside a few thousand of content: a
// server that was just restarted or promoted needs no second try.

// scriptCreate stores a value where there is no live one.
//
//	KEYS  session   ARGV  now in µs, life in ms, value
//	answers 1, or 0 where a live record is in the way
const scriptCreate = `
local head = redis.call('GETRANGE', KEYS[1], 0, 17)
if head ~= '' and (string.byte(head) ~= 1 or struct.unpack('>i8', head, 11) > tonumber(ARGV[1])) then
	return 0
end
if tonumber(ARGV[2]) > 0 then
	redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
else
	redis.call('DEL', KEYS[1])
end
return 1`

// scriptSwap replaces what a swap brings, and the content. Where the session would
// outlive its place in the index it changes nothing and says whose it is, so that
// the caller can see to the index first.
//
//	KEYS  session
//	ARGV  now in µs, version expected, new head, content, expires in µs, life in ms,
//	      and after the index was seen to: until when in ms, for whom
//	answers {1, rest of the head}, or {0} not found, {-1} another version,
//	        {-2} another format, {-3, rest of the head} index first
const scriptSwap = `
local head = redis.call('GETRANGE', KEYS[1], 0, 61)
if head == '' then
	return {0}
end
if string.byte(head) ~= 1 or #head < 62 then
	return {-2}
end
if struct.unpack('>i8', head, 11) <= tonumber(ARGV[1]) then
	return {0}
end
if string.sub(head, 3, 10) ~= ARGV[2] then
	return {-1}
end
local pool, subject = struct.unpack('>HH', head, 59)
local rest = redis.call('GETRANGE', KEYS[1], 34, 61 + pool + subject)
local indexed = struct.unpack('>i8', rest)
if ARGV[8] == string.sub(rest, 25) then
	indexed = tonumber(ARGV[7])
	rest = struct.pack('>i8', indexed) .. string.sub(rest, 9)
end
if tonumber(ARGV[5]) > indexed * 1000 then
	return {-3, rest}
end
if tonumber(ARGV[6]) > 0 then
	redis.call('SET', KEYS[1], ARGV[3] .. rest .. ARGV[4], 'PX', ARGV[6])
else
	redis.call('DEL', KEYS[1])
end
return {1, rest}`

// scriptDelete deletes a session, whatever it is, and answers with its head.
//
//	KEYS  session
const scriptDelete = `
local head = redis.call('GETRANGE', KEYS[1], 0, 828)
redis.call('DEL', KEYS[1])
return head`

// scriptDeleteOf deletes a session if it is a certain person's.
//
//	KEYS  session   ARGV  now in µs, whose
//	answers {1, head} or, where it had expired, {0, head}; {0} where it is
//	        nobody's or somebody else's, {-2} another format
const scriptDeleteOf = `
local head = redis.call('GETRANGE', KEYS[1], 0, 57 + #ARGV[2])
if head == '' then
	return {0}
end
if string.byte(head) ~= 1 then
	return {-2}
end
if string.sub(head, 59) ~= ARGV[2] then
	return {0}
end
redis.call('DEL', KEYS[1])
if struct.unpack('>i8', head, 11) <= tonumber(ARGV[1]) then
	return {0, head}
end
return {1, head}`

// scriptMark marks a person's live session stale and raises its version, in place:
// when it expires does not change.
//
//	KEYS  session   ARGV  now in µs, whose
//	answers {1}, {0} where there is nothing to mark, {-2} another format
const scriptMark = `
local head = redis.call('GETRANGE', KEYS[1], 0, 57 + #ARGV[2])
if head == '' then
	return {0}
end
if string.byte(head) ~= 1 then
	return {-2}
end
if string.sub(head, 59) ~= ARGV[2] or struct.unpack('>i8', head, 11) <= tonumber(ARGV[1]) then
	return {0}
end
local flags, version = struct.unpack('>Bi8', head, 2)
if flags % 2 == 0 then
	flags = flags + 1
end
redis.call('SETRANGE', KEYS[1], 1, struct.pack('>Bi8', flags, version + 1))
return {1}`

// scriptIndex names a session in the index of a person, until a time that it only
// moves away, and clears what had its time. Each call leaves another time than
// there was before, so that scriptUnindex knows whether there was one.
//
//	KEYS  index   ARGV  now in ms, until in ms, ID
//	answers the time that the index has now
const scriptIndex = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
local till, last = tonumber(ARGV[2]), redis.call('ZSCORE', KEYS[1], ARGV[3])
if last and tonumber(last) >= till then
	till = tonumber(last) + 1
end
redis.call('ZADD', KEYS[1], string.format('%.0f', till), ARGV[3])
last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(last) - tonumber(ARGV[1])))
return till`

// scriptUnindex takes sessions out of the index, each only if its time is still
// the one that the deleted record knew: if not, somebody is about to write it.
//
//	KEYS  index   ARGV  ID, time in ms, and so on
const scriptUnindex = `
for i = 1, #ARGV, 2 do
	local last = redis.call('ZSCORE', KEYS[1], ARGV[i])
	if last and tonumber(last) == tonumber(ARGV[i + 1]) then
		redis.call('ZREM', KEYS[1], ARGV[i])
	end
end
return 1`
