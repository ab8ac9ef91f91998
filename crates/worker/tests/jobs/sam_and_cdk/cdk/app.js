'use strict';

const { App, CfnOutput, CfnParameter, Stack, Tags } = require('aws-cdk-lib');
const lambda = require('aws-cdk-lib/aws-lambda');
const sns = require('aws-cdk-lib/aws-sns');

const { GREENROOM_STAGE: stage, mark } = process.env;
const app = new App();
Tags.of(app).add('team', 'blue');

const base = new Stack(app, `${mark}-base-${stage}`);
const topic = new sns.Topic(base, 'Topic');

const api = new Stack(app, `${mark}-api-${stage}`);
const greeting = new CfnParameter(api, 'Greeting');
const hello = new lambda.Function(api, 'Hello', {
  runtime: lambda.Runtime.NODEJS_20_X,
  handler: 'hello.handler',
  code: lambda.Code.fromAsset('src'),
  environment: { GREETING: greeting.valueAsString, TOPIC: topic.topicArn },
});
new CfnOutput(api, 'HelloName', { value: hello.functionName });
new CfnOutput(api, 'Said', { value: greeting.valueAsString });
