import { join } from "node:path";
import { ContainerImage } from "../modules/container-image";
import { readFiles } from "../modules/content-hash";
import { projectRoot } from "../modules/project-root";
import { type Platform, PlatformStack } from "./platform";

/**
 * The project files that go into the image: code, pinned requirements, the feature contract. Tests and their leftovers
 * stay out.
 */
const inContext = (path: string): boolean =>
  /^model-image\/(Dockerfile|requirements\.txt|(bin|abalone)\/.+)$/.test(path) && !path.includes("__pycache__");

/** The build context of the model image: content by path from the project root. */
export function modelImageContext(root: string = projectRoot): ReadonlyMap<string, Uint8Array> {
  return new Map(
    ["model-image", "survey"].flatMap((folder) =>
      [
        ...readFiles(join(root, folder), (path) => {
          const full = `${folder}/${path}`;
          return full === "survey/features.json" || inContext(full);
        }),
      ].map(([path, content]) => [`${folder}/${path}`, content] as const),
    ),
  );
}

/** The image that processes, trains, evaluates and serves. */
export class ModelImageStack extends PlatformStack {
  constructor(platform: Platform) {
    super(platform, "model-image");
    const { modelImage, protectData } = this.environment;
    const image = new ContainerImage(this, "abalone", {
      repositoryName: this.named("abalone"),
      context: modelImageContext(),
      dockerfile: "model-image/Dockerfile",
      executable: (path) => path.startsWith("model-image/bin/"),
      build: modelImage.build,
      protect: protectData,
    });
    this.publish("ModelImageUri", image.uri);
  }
}
