// Package poolfile is the configuration of a user pool as a file: exported, compared and
// applied, for codegrant pool export, diff and apply. It owns the form of the file, and which
// settings can be changed; it refuses to hold secrets, to delete anything, and to touch
// people, whom package poolcopy writes into a seed. It leans on the AWS API, whose names the file uses.
package poolfile
