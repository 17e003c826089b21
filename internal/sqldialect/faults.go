package sqldialect

import (
	"errors"
	"reflect"
)

// MySQLNumber finds the number of a *mysql.MySQLError. The driver offers it as a
// field alone, and importing the driver for its type would make every user of
// a store compile it.
func MySQLNumber(err error) (uint64, bool) {
	for err != nil {
		if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
			if number := v.FieldByName("Number"); number.IsValid() && number.CanUint() {
				return number.Uint(), true
			}
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range many.Unwrap() {
				if number, ok := MySQLNumber(err); ok {
					return number, true
				}
			}
			return 0, false
		}
		err = errors.Unwrap(err)
	}
	return 0, false
}
