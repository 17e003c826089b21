// Package poolcopy makes a user pool the seed of a local pool, for development, with people
// whom nobody can recognize. It owns what of a person stays and what takes the place of the
// rest; it refuses to write any value that a person has, and knows no way to turn that off.
// It reads people from the AWS API, from a replica or from a backup, one page at a time, and
// leans on packages directory and backup and on the rooms of the program.
package poolcopy
