/*
 * The client packages that tests/clients runs, from wherever this file lies: here they are the majors that run on
 * the oldest supported Node; a copy of it beside the installation of package.json has the newest ones.
 */
export * as aiSdkAnthropic from '@ai-sdk/anthropic';
export * as aiSdkOpenAi from '@ai-sdk/openai';
export * as aiSdkCompatible from '@ai-sdk/openai-compatible';
export * as anthropic from '@anthropic-ai/sdk';
export { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
export { jsonSchemaOutputFormat } from '@anthropic-ai/sdk/helpers/json-schema';
export * as langchainMessages from '@langchain/core/messages';
export * as langchainOpenAi from '@langchain/openai';
export * as ai from 'ai';
export { Ollama } from 'ollama';
export * as openai from 'openai';
