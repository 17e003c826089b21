package api

import "github.com/codegrant/codegrant/localpool/internal/state"

type writeGroup struct {
	UserPoolId  string
	GroupName   string
	Description *string
	RoleArn     *string
	Precedence  *int
}

// apply changes what is given and leaves the rest.
func (in *writeGroup) apply(g *state.Group) {
	if in.Description != nil {
		g.Description = *in.Description
	}
	if in.RoleArn != nil {
		g.RoleARN = *in.RoleArn
	}
	if in.Precedence != nil {
		g.Precedence = in.Precedence
	}
}

func (a *API) createGroup(in *writeGroup) (any, error) {
	g := state.Group{Name: in.GroupName}
	in.apply(&g)
	if err := a.state.CreateGroup(in.UserPoolId, g); err != nil {
		return nil, err
	}
	return a.getGroup(&onGroup{in.UserPoolId, in.GroupName})
}

func (a *API) updateGroup(in *writeGroup) (any, error) {
	g, err := a.state.UpdateGroup(in.UserPoolId, in.GroupName, in.apply)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Group": groupOf(in.UserPoolId, g)}, nil
}

type onGroup struct {
	UserPoolId string
	GroupName  string
}

func (a *API) getGroup(in *onGroup) (any, error) {
	g, err := a.state.Group(in.UserPoolId, in.GroupName)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Group": groupOf(in.UserPoolId, g)}, nil
}

func (a *API) deleteGroup(in *onGroup) (any, error) {
	return empty, a.state.DeleteGroup(in.UserPoolId, in.GroupName)
}

type onMember struct {
	UserPoolId string
	Username   string
	GroupName  string
}

func (a *API) adminAddUserToGroup(in *onMember) (any, error) {
	return empty, a.state.AddToGroup(in.UserPoolId, in.Username, in.GroupName)
}

func (a *API) adminRemoveUserFromGroup(in *onMember) (any, error) {
	return empty, a.state.RemoveFromGroup(in.UserPoolId, in.Username, in.GroupName)
}
