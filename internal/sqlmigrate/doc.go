// Package sqlmigrate brings tables from one version to the next, once, however many
// processes begin at the same time.
//
// It owns the order of the steps, the note of what was done, and the lock that processes wait
// at. It refuses to know what the steps do: their SQL, and the names of the note and of the
// lock, are the package's whose tables they are. These names are in databases that exist, so
// they must not change.
//
// It leans on package sqldialect for the engine, and on goose for the steps. It is a package
// of its own because not everybody who names an engine compiles goose.
package sqlmigrate
