/** Environment variables that set a value of the configuration, with the path of the setting. */
export const ENVIRONMENT: Readonly<
  Record<string, readonly [path: string, kind: 'text' | 'number' | 'boolean']>
> = {
  PORT: ['port', 'number'],
  HOST: ['host', 'text'],
  TALLYRANK_DATA_DIR: ['dataDir', 'text'],
  TALLYRANK_LOG_LEVEL: ['logLevel', 'text'],
  TALLYRANK_DEFAULT_MODEL: ['defaultModel', 'text'],
  TALLYRANK_EXPLORATION_SHARE: ['exploration.share', 'number'],
  TALLYRANK_KEEP_TEXTS: ['privacy.keepTexts', 'boolean'],
  CLICKHOUSE_URL: ['clickhouse.url', 'text'],
  CLICKHOUSE_USER: ['clickhouse.username', 'text'],
  CLICKHOUSE_DATABASE: ['clickhouse.database', 'text'],
};

/** Environment variables that are read beside those of {@link ENVIRONMENT}: secrets and providers. */
export const OTHER_ENVIRONMENT = [
  'TALLYRANK_CONFIG',
  'TALLYRANK_ADMIN_KEY',
  'CLICKHOUSE_PASSWORD',
  'OLLAMA_HOST',
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_BASE_URL',
  'AZURE_OPENAI_API_KEY',
  'AZURE_OPENAI_ENDPOINT',
  'OPENROUTER_API_KEY',
  'GROQ_API_KEY',
  'MISTRAL_API_KEY',
  'DEEPSEEK_API_KEY',
  'GEMINI_API_KEY',
] as const;
