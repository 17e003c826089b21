// Package restore brings back people whom a pool has lost: it looks up in the replica's
// history how they were at a time, makes them again in the pool, puts them into their
// groups, and has the replica take them for whom they were. It owns the plan, its steps
// and their order; it refuses to change or delete anybody whom the pool has, to invent
// what nobody has stated, and to read passwords, which no pool gives away.
//
// A person gets a new subject from the pool, and keeps their row in the replica: the new
// identity is linked to it. Each step can be done twice, so that a run which was cut off
// is repeated. It leans on package replica, its store in SQL, and the AWS API.
//
// [New] returns every mistake of the configuration at once. [Restore.Plan] changes nothing, and
// [Restore.Do] does one step of it. A step says in Why what keeps it from being done. An error
// means that the pool or the database did not answer: run the plan again. The example has a
// pool that loses somebody.
package restore
