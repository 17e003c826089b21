package parts

import (
	"cmp"
	"os"
	"os/user"
	"strings"
)

// Operator is who runs this command, for the logs of all who hear of what it does.
func Operator() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if before := os.Getenv("SUDO_USER"); before != "" && before != name {
		name += ", by sudo of " + before
	}
	host, _ := os.Hostname()
	return operator + name + " at " + cmp.Or(host, "an unnamed host")
}

const operator = "operator "

// IsOperator reports whether [Operator] has made a name.
func IsOperator(by string) bool { return strings.HasPrefix(by, operator) }
