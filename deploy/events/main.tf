# Changes of users and groups, from CloudTrail through EventBridge to a queue that
# `codegrant sync --follow --queue <url>` reads. CloudTrail must have a trail that logs
# management events in the pool's region: without one, EventBridge hears nothing.

variable "name" {
  type    = string
  default = "codegrant-events"
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "events" {
  name                       = var.name
  visibility_timeout_seconds = 60
  message_retention_seconds  = 345600
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 10 })
}

resource "aws_cloudwatch_event_rule" "changes" {
  name        = var.name
  description = "Changes of users and groups in Cognito user pools"
  event_pattern = jsonencode({
    source        = ["aws.cognito-idp"]
    "detail-type" = ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"]
    detail = {
      eventSource = ["cognito-idp.amazonaws.com"]
      eventName = [
        "AdminAddUserToGroup", "AdminRemoveUserFromGroup", "AdminCreateUser", "AdminDeleteUser", "AdminDeleteUserAttributes", "AdminDisableUser",
        "AdminEnableUser", "AdminUpdateUserAttributes", "AdminConfirmSignUp", "AdminUserGlobalSignOut", "ConfirmSignUp", "CreateGroup", "DeleteGroup",
        "DeleteUser", "DeleteUserAttributes", "UpdateGroup", "UpdateUserAttributes", "VerifyUserAttribute", "GlobalSignOut",
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule = aws_cloudwatch_event_rule.changes.name
  arn  = aws_sqs_queue.events.arn
}

data "aws_iam_policy_document" "queue" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.events.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.changes.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.queue.json
}

# What the sync may do: read the pool, and the queue. No Admin* operation: those
# count users as active for the month.
variable "user_pool_arn" {
  type = string
}

data "aws_iam_policy_document" "sync" {
  statement {
    actions   = ["cognito-idp:ListUsers", "cognito-idp:ListGroups", "cognito-idp:ListUsersInGroup", "cognito-idp:DescribeUserPool"]
    resources = [var.user_pool_arn]
  }
  statement {
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.events.arn]
  }
}

output "queue_url" {
  value = aws_sqs_queue.events.url
}

output "sync_policy" {
  value = data.aws_iam_policy_document.sync.json
}
