// Package cutdb cuts a database off, for tests: before a statement or a commit, and for all that
// would follow it, as the end of a process does.
//
// It owns a driver between database/sql and an engine's own ([Open]), which counts what passes,
// and from which step on nothing does ([Cut.At], [Cut.EachStep]). It refuses statements that are prepared: those of MySQL
// need InterpolateParams. It leans on nothing.
package cutdb
