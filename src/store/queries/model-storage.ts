import type { Database } from '../database.ts';
import { isoOfStored } from './usage-window.ts';

/** A model's file in the bucket. */
export interface StoredModel {
  readonly modelId: string;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly modelFamily: string;
  readonly bucketName: string;
  readonly bucketPath: string;
  /** e.g. "gguf" */
  readonly fileFormat: string;
  readonly fileSizeBytes: number;
  readonly quantization: string | null;
  /** As its maker says it, e.g. "7B". */
  readonly parameterCount: string | null;
  readonly sha256: string | null;
  readonly isDownloaded: boolean;
  /** Where it lies on this machine; null when it does not. */
  readonly localPath: string | null;
  /** ISO 8601. */
  readonly changedAt: string;
}

const STORED_MODELS = `
SELECT
  model_id AS modelId,
  model_name AS modelName,
  model_version AS modelVersion,
  model_family AS modelFamily,
  bucket_name AS bucketName,
  bucket_path AS bucketPath,
  file_format AS fileFormat,
  file_size_bytes AS fileSizeBytes,
  nullIf(model_storage.quantization, '') AS quantization,
  nullIf(parameter_count, '') AS parameterCount,
  nullIf(model_storage.sha256, '') AS sha256,
  is_downloaded AS isDownloaded,
  nullIf(local_path, '') AS localPath,
  toString(changed_at) AS changedAt
FROM model_storage FINAL
WHERE NOT is_deleted
ORDER BY modelId, modelVersion`;

/** Which model files are in the bucket? Reads `model_storage`. */
export async function storedModels(db: Database): Promise<StoredModel[]> {
  const rows = await db.query<StoredModel>(STORED_MODELS);
  return rows.map((row) => ({ ...row, changedAt: isoOfStored(row.changedAt) }));
}

/** Notes an upload, a download or (with `isDeleted`) a removal; the latest `changedAt` of a version counts. */
export async function putStoredModel(db: Database, model: StoredModel, isDeleted = false): Promise<void> {
  await db.insertRows('model_storage', [
    {
      model_id: model.modelId,
      model_name: model.modelName,
      model_version: model.modelVersion,
      model_family: model.modelFamily,
      bucket_name: model.bucketName,
      bucket_path: model.bucketPath,
      file_format: model.fileFormat,
      file_size_bytes: model.fileSizeBytes,
      quantization: model.quantization,
      parameter_count: model.parameterCount,
      sha256: model.sha256,
      is_downloaded: model.isDownloaded,
      local_path: model.localPath,
      is_deleted: isDeleted,
      changed_at: new Date(model.changedAt),
    },
  ]);
}
