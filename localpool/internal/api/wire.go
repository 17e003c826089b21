package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// decode reads the members that an operation knows, by their exact names: the decoder would
// take a name in any case, and Cognito does not. Whether they are as the model has them was
// asked before.
func decode[T any](body []byte) (*T, error) {
	in := new(T)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, &state.Error{Type: "SerializationException", Message: "The request is not a JSON object."}
	}
	value, fields := reflect.ValueOf(in).Elem(), fieldsOf(reflect.TypeFor[T]())
	for name, text := range members {
		at, known := fields[name]
		if !known {
			continue
		}
		if err := json.Unmarshal(text, value.FieldByIndex(at).Addr().Interface()); err != nil {
			return nil, &state.Error{Type: "SerializationException", Message: fmt.Sprintf("The member %s has a value of another type.", name)}
		}
	}
	return in, nil
}

var fields sync.Map // by type: name to index

// fieldsOf are the fields of a request that are read from it, by name.
func fieldsOf(t reflect.Type) map[string][]int {
	if known, ok := fields.Load(t); ok {
		return known.(map[string][]int)
	}
	byName := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && !f.Anonymous {
			byName[f.Name] = f.Index
		}
	}
	fields.Store(t, byName)
	return byName
}

func invalid(format string, args ...any) error {
	return &state.Error{Type: state.InvalidParameter, Message: fmt.Sprintf(format, args...)}
}

// epoch is a time as the API writes it: seconds with a fraction.
type epoch time.Time

// MarshalJSON implements [json.Marshaler].
func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(e).UnixMilli())/1000, 'f', -1, 64), nil
}

// attribute is one of a user. Its value is a string, whatever it stands for.
type attribute struct {
	Name  string
	Value string
}

// attributesOf lists a user's attributes, all of them or those that are asked for.
func attributesOf(u state.User, wanted []string) ([]attribute, error) {
	list := make([]attribute, 0, len(u.Attributes))
	for _, name := range wanted {
		if _, ok := u.Attributes[name]; !ok {
			return nil, invalid("One or more requested attributes do not exist.")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Attributes)) {
		if len(wanted) == 0 || slices.Contains(wanted, name) {
			list = append(list, attribute{name, u.Attributes[name]})
		}
	}
	return list, nil
}

// userType is a user in a list.
type userType struct {
	Username             string
	Attributes           []attribute
	UserCreateDate       epoch
	UserLastModifiedDate epoch
	Enabled              bool
	UserStatus           string
}

func userTypes(users []state.User, wanted []string) ([]userType, error) {
	list := make([]userType, 0, len(users))
	for _, u := range users {
		attributes, err := attributesOf(u, wanted)
		if err != nil {
			return nil, err
		}
		list = append(list, userType{u.Username, attributes, epoch(u.Created), epoch(u.Modified), u.Enabled, u.Status})
	}
	return list, nil
}

// groupType is a group.
type groupType struct {
	GroupName        string
	UserPoolId       string
	Description      string `json:",omitempty"`
	RoleArn          string `json:",omitempty"`
	Precedence       *int   `json:",omitempty"`
	LastModifiedDate epoch
	CreationDate     epoch
}

func groupOf(poolID string, g state.Group) groupType {
	return groupType{g.Name, poolID, g.Description, g.RoleARN, g.Precedence, epoch(g.Modified), epoch(g.Created)}
}

func groupTypes(poolID string, groups []state.Group) []groupType {
	list := make([]groupType, 0, len(groups))
	for _, g := range groups {
		list = append(list, groupOf(poolID, g))
	}
	return list
}
