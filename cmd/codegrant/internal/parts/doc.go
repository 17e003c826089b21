// Package parts makes parts out of what a configuration names: the configuration itself,
// databases, Redis, client secrets, the settings of tools of AWS, and people as commands
// print them. Errors never have a URL in them, which may hold a password.
//
// It refuses to say what commands do with them, and opens nothing that is not asked for.
package parts
