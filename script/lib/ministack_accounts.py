"""Fills a local AWS with the accounts that tests and the demo use.

The server's account 999999999999 gets the user `greenroom` with an access key; the accounts of
development, staging and production each get the role `greenroom-deploy`. The policies are the
ones that docs/iam tells users to paste, so that a wrong one fails here first. May run again on
the same local AWS. Prints the user's key as shell assignments.

A 12-digit access key id is that account's root in ministack, and its signature is not checked.
"""

import argparse
import pathlib

import boto3
from botocore.exceptions import ClientError

SERVER = "999999999999"
TARGETS = {"development": "111111111111", "staging": "222222222222", "production": "333333333333"}
USER = "greenroom"
ROLE = "greenroom-deploy"
# AWS shortens a bucket's stack and resource to 24 characters each; ministack cuts both off at 50.
DEPLOYMENT_BUCKET, LOCAL_DEPLOYMENT_BUCKET = "*-serverlessdeploymentbuck*", "*-s*"


def root_of(account, args):
    return boto3.client(
        "iam",
        endpoint_url=args.endpoint,
        verify=args.ca,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="root",
    )


def unless_there(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise


def server_user(args):
    iam = root_of(SERVER, args)
    unless_there(iam.create_user, UserName=USER)
    policy = (args.iam / "server-policy.json").read_text()
    iam.put_user_policy(UserName=USER, PolicyName="greenroom-server", PolicyDocument=policy)
    for old in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=USER, AccessKeyId=old["AccessKeyId"])
    return iam.create_access_key(UserName=USER)["AccessKey"]


def deploy_role(account, args):
    iam = root_of(account, args)
    trust = (args.iam / "trust-policy.json").read_text()
    trust = trust.replace("GREENROOM_PRINCIPAL_ARN", f"arn:aws:iam::{SERVER}:user/{USER}")
    trust = trust.replace("EXTERNAL_ID", args.external_id)
    policy = (args.iam / "deploy-policy.json").read_text().replace("ACCOUNT_ID", account)
    policy = policy.replace(DEPLOYMENT_BUCKET, LOCAL_DEPLOYMENT_BUCKET)
    unless_there(iam.create_role, RoleName=ROLE, AssumeRolePolicyDocument=trust)
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust)
    iam.put_role_policy(RoleName=ROLE, PolicyName="greenroom-deploy", PolicyDocument=policy)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--iam", required=True, type=pathlib.Path)
    parser.add_argument("--external-id", required=True)
    args = parser.parse_args()
    key = server_user(args)
    for account in TARGETS.values():
        deploy_role(account, args)
    print(f"GREENROOM_SERVER_ACCESS_KEY_ID={key['AccessKeyId']}")
    print(f"GREENROOM_SERVER_SECRET_ACCESS_KEY='{key['SecretAccessKey']}'")


if __name__ == "__main__":
    main()
