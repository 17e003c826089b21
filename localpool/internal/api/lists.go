package api

import (
	"strconv"
	"time"
)

type listUsers struct {
	UserPoolId      string
	AttributesToGet []string
	Filter          string
	Limit           *int
	PaginationToken string
}

func (a *API) listUsers(in *listUsers) (any, error) {
	filter, err := parseFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	token := in.PaginationToken
	in.PaginationToken = ""
	after, err := a.place(token, in)
	if err != nil {
		return nil, err
	}
	users, next, err := a.state.ListUsers(in.UserPoolId, filter, after, limitOf(in.Limit))
	if err != nil {
		return nil, err
	}
	list, err := userTypes(users, in.AttributesToGet)
	if err != nil {
		return nil, err
	}
	return struct {
		Users           []userType
		PaginationToken string `json:",omitempty"`
	}{list, pageToken(order(next), in, a.state.Now().Add(listTokenLifetime))}, nil
}

// place reads a token that says after which user to go on.
func (a *API) place(token string, request any) (int64, error) {
	after, err := resume(token, request, a.state.Now())
	if after == "" || err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return 0, invalid("Invalid pagination token.")
	}
	return n, nil
}

func order(next int64) string {
	if next == 0 {
		return ""
	}
	return strconv.FormatInt(next, 10)
}

type listUsersInGroup struct {
	UserPoolId string
	GroupName  string
	Limit      *int
	NextToken  string
}

func (a *API) listUsersInGroup(in *listUsersInGroup) (any, error) {
	token := in.NextToken
	in.NextToken = ""
	after, err := a.place(token, in)
	if err != nil {
		return nil, err
	}
	users, next, err := a.state.ListMembers(in.UserPoolId, in.GroupName, after, limitOf(in.Limit))
	if err != nil {
		return nil, err
	}
	list, err := userTypes(users, nil)
	if err != nil {
		return nil, err
	}
	return struct {
		Users     []userType
		NextToken string `json:",omitempty"`
	}{list, pageToken(order(next), in, time.Time{})}, nil
}

type listGroups struct {
	UserPoolId string
	Limit      *int
	NextToken  string
}

// groupList is a page of groups.
type groupList struct {
	Groups    []groupType
	NextToken string `json:",omitempty"`
}

func (a *API) listGroups(in *listGroups) (any, error) {
	token := in.NextToken
	in.NextToken = ""
	after, err := resume(token, in, a.state.Now())
	if err != nil {
		return nil, err
	}
	groups, next, err := a.state.ListGroups(in.UserPoolId, after, limitOf(in.Limit))
	if err != nil {
		return nil, err
	}
	return groupList{groupTypes(in.UserPoolId, groups), pageToken(next, in, time.Time{})}, nil
}

type listGroupsForUser struct {
	UserPoolId string
	Username   string
	Limit      *int
	NextToken  string
}

func (a *API) listGroupsForUser(in *listGroupsForUser) (any, error) {
	token := in.NextToken
	in.NextToken = ""
	after, err := resume(token, in, a.state.Now())
	if err != nil {
		return nil, err
	}
	groups, next, err := a.state.GroupsOf(in.UserPoolId, in.Username, after, limitOf(in.Limit))
	if err != nil {
		return nil, err
	}
	return groupList{groupTypes(in.UserPoolId, groups), pageToken(next, in, time.Time{})}, nil
}
