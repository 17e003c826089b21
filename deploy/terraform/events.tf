# Change events of a Cognito user pool for codegrant sync --follow: CloudTrail's
# management events, through EventBridge, into a queue. With "endpoint" they are
# posted there as well.
#
#   terraform apply -var user_pool_id=eu-west-1_Ab12Cd34E
#
# The account needs a trail that logs management events (write events are enough):
# without one, EventBridge gets none. Then give the policy "sync" to the role that
# codegrant runs as, and start it with --queue and the output "queue_url".

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.0" }
  }
}

variable "user_pool_id" {
  description = "User pool whose events these are."
  type        = string
}

variable "name" {
  description = "Name of everything that is made."
  type        = string
  default     = "codegrant-events"
}

variable "endpoint" {
  description = "URL that events are posted to as well, such as https://sync.example.com/events. Empty: none."
  type        = string
  default     = ""
}

variable "endpoint_secret" {
  description = "What codegrant sync --listen knows by --event-secret-file. It ends up in the state."
  type        = string
  sensitive   = true
  default     = ""
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  user_pool_arn = "arn:${data.aws_partition.current.partition}:cognito-idp:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:userpool/${var.user_pool_id}"
  endpoints     = var.endpoint == "" ? [] : [var.endpoint]
}

# A rule that does not match costs nothing, and what it lets through is what
# codegrant looks into. Operations that failed have an errorCode.
resource "aws_cloudwatch_event_rule" "changes" {
  name        = var.name
  description = "Users and groups of ${var.user_pool_id} that may have changed"
  event_pattern = jsonencode({
    source        = ["aws.cognito-idp"]
    "detail-type" = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource       = ["cognito-idp.amazonaws.com"]
      errorCode         = [{ exists = false }]
      # What apps call in a person's name need not name the pool.
      requestParameters = { userPoolId = [var.user_pool_id, { exists = false }] }
      eventName = [
        "AdminAddUserToGroup", "AdminConfirmSignUp", "AdminCreateUser", "AdminDeleteUser",
        "AdminDeleteUserAttributes", "AdminDisableProviderForUser", "AdminDisableUser", "AdminEnableUser",
        "AdminLinkProviderForUser", "AdminRemoveUserFromGroup", "AdminResetUserPassword", "AdminSetUserPassword",
        "AdminUpdateUserAttributes", "AdminUserGlobalSignOut", "ConfirmForgotPassword", "ConfirmSignUp",
        "CreateGroup", "DeleteGroup", "DeleteUser", "DeleteUserAttributes", "GlobalSignOut", "SignUp", "UpdateGroup",
        "UpdateUserAttributes", "VerifyUserAttribute",
      ]
    }
  })
}

resource "aws_sqs_queue" "events" {
  name                       = var.name
  message_retention_seconds  = 345600 # four days; a pass finds out what is older
  receive_wait_time_seconds  = 20
  visibility_timeout_seconds = 120
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 20
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.events.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.changes.arn } }
    }]
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule = aws_cloudwatch_event_rule.changes.name
  arn  = aws_sqs_queue.events.arn
}

# What codegrant sync may do, and nothing else: no operation in it makes a user
# billable, and none changes anything.
resource "aws_iam_policy" "sync" {
  name = "${var.name}-sync"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["cognito-idp:ListUsers", "cognito-idp:ListGroups", "cognito-idp:ListUsersInGroup", "cognito-idp:ListPointInTimeRecoveries", "cognito-idp:DescribePointInTimeRecovery"]
        Resource = local.user_pool_arn
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = aws_sqs_queue.events.arn
      },
    ]
  })
}

# The other way: EventBridge posts the events to codegrant sync --listen, behind a
# proxy that speaks https.
resource "aws_cloudwatch_event_connection" "endpoint" {
  for_each           = toset(local.endpoints)
  name               = var.name
  authorization_type = "API_KEY"
  auth_parameters {
    api_key {
      key   = "X-Codegrant-Secret"
      value = var.endpoint_secret
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "endpoint" {
  for_each                         = toset(local.endpoints)
  name                             = var.name
  connection_arn                   = aws_cloudwatch_event_connection.endpoint[each.key].arn
  http_method                      = "POST"
  invocation_endpoint              = each.key
  invocation_rate_limit_per_second = 50
}

resource "aws_iam_role" "post" {
  for_each = toset(local.endpoints)
  name     = "${var.name}-post"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "post" {
  for_each = toset(local.endpoints)
  name     = "post"
  role     = aws_iam_role.post[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "events:InvokeApiDestination", Resource = aws_cloudwatch_event_api_destination.endpoint[each.key].arn }]
  })
}

resource "aws_cloudwatch_event_target" "endpoint" {
  for_each = toset(local.endpoints)
  rule     = aws_cloudwatch_event_rule.changes.name
  arn      = aws_cloudwatch_event_api_destination.endpoint[each.key].arn
  role_arn = aws_iam_role.post[each.key].arn
}

output "queue_url" {
  value = aws_sqs_queue.events.url
}

output "sync_policy_arn" {
  value = aws_iam_policy.sync.arn
}
