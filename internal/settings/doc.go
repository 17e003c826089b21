// Package settings owns the YAML file of codegrant serve and turns it into values:
// pools, routes, keys, limits. It refuses to start anything: it opens no listener,
// no database and no connection to anybody.
//
// # Faults
//
// [Load] reports all faults of a file at once, each with file and line. What another
// package would refuse, such as a route that can never match, is found by asking that
// package, and reported at the line that is to be changed. No fault has a secret in it:
// a value that cannot be read is quoted as the file has it, before the environment is
// put in.
//
// # Scalars
//
// ${NAME} stands for an environment variable, which must be set, and ${NAME:-text}
// for one that may be missing or empty; $${ is a plain ${. It is put in after the file
// was parsed, so that no value can add keys to it.
package settings
