import type * as control from "@aws-sdk/client-sagemaker";
import type {
  DescribeExperimentResponse,
  DescribeTrialComponentResponse,
  DescribeTrialResponse,
  ExperimentConfig,
} from "@aws-sdk/client-sagemaker";
import { resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";

type Experiment = Validated<DescribeExperimentResponse> & { ExperimentName: string; CreationTime: Date };
type Trial = Validated<DescribeTrialResponse> & { TrialName: string; ExperimentName: string; CreationTime: Date };
type TrialComponent = Validated<DescribeTrialComponentResponse> & { TrialComponentName: string; CreationTime: Date };

/** A trial component with the trials that it belongs to. */
interface StoredComponent {
  readonly component: TrialComponent;
  readonly trials: readonly string[];
}

/** The stores of experiments and what belongs to them. */
export interface ExperimentStores {
  readonly experiments: ResourceStore<Experiment>;
  readonly trials: ResourceStore<Trial>;
  readonly components: ResourceStore<StoredComponent>;
}

/** What a job tells of itself in its trial component. */
export type JobFacts = Pick<
  TrialComponent,
  "Status" | "StartTime" | "EndTime" | "Parameters" | "InputArtifacts" | "OutputArtifacts" | "Metrics"
>;

/** A job as the source of a trial component. */
export interface SourceJob {
  readonly name: string;
  readonly arn: string;
  readonly kind: "training-job" | "processing-job";
}

/** Experiments, their trials, and the trial components that jobs leave in them. */
export class Experiments {
  constructor(
    private readonly stores: ExperimentStores,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("experiment", (name) => stores.experiments.has(name));
    tags.register("experiment-trial", (name) => stores.trials.has(name));
    tags.register("experiment-trial-component", (name) => stores.components.has(name));
  }

  /**
   * Refuses a job's experiment configuration whose experiment or trial is not there.
   *
   * @throws ServiceError ResourceNotFound
   */
  check(config: ExperimentConfig | undefined): void {
    if (config?.ExperimentName !== undefined) {
      this.experiment(config.ExperimentName);
    }
    if (config?.TrialName !== undefined) {
      this.trial(config.TrialName);
    }
  }

  /** Writes down, in the job's trial component, what is known about the job. */
  record(config: ExperimentConfig | undefined, job: SourceJob, facts: JobFacts): void {
    if (config === undefined) {
      return;
    }
    const name = `${job.name}-aws-${job.kind}`;
    const stored = this.stores.components.get(name);
    const now = new Date();
    const sourceType = job.kind === "training-job" ? "SageMakerTrainingJob" : "SageMakerProcessingJob";
    const component: TrialComponent = {
      TrialComponentName: name,
      TrialComponentArn: this.arns.of("experiment-trial-component", name),
      DisplayName: config.TrialComponentDisplayName ?? name,
      Source: { SourceArn: job.arn, SourceType: sourceType },
      CreationTime: now,
      ...stored?.component,
      ...facts,
      LastModifiedTime: now,
    };
    const trial = config.TrialName;
    const trials = stored?.trials ?? (trial !== undefined && this.stores.trials.has(trial) ? [trial] : []);
    this.stores.components.put(name, { component, trials });
  }

  readonly operations: OperationTable<typeof control> = {
    CreateExperiment: ({ ExperimentName: name, Tags, ...rest }) => {
      if (this.stores.experiments.has(name)) {
        throw validationException(
          `Experiment names must be unique within an AWS account and region. Experiment with name (${name}) already exists.`,
        );
      }
      this.tags.check(Tags);
      const arn = this.arns.of("experiment", name);
      const now = new Date();
      this.stores.experiments.put(name, {
        ExperimentName: name,
        ExperimentArn: arn,
        DisplayName: rest.DisplayName ?? name,
        Description: rest.Description,
        CreationTime: now,
        LastModifiedTime: now,
      });
      this.tags.create(arn, Tags);
      return { ExperimentArn: arn };
    },
    DescribeExperiment: ({ ExperimentName }) => this.experiment(ExperimentName),
    UpdateExperiment: ({ ExperimentName, ...changes }) => {
      const experiment = { ...this.experiment(ExperimentName), ...changes, LastModifiedTime: new Date() };
      this.stores.experiments.put(ExperimentName, experiment);
      return { ExperimentArn: experiment.ExperimentArn };
    },
    DeleteExperiment: ({ ExperimentName: name }) => {
      const { ExperimentArn } = this.experiment(name);
      const trials = this.stores.trials.values().filter((trial) => trial.ExperimentName === name);
      if (trials.length > 0) {
        throw validationException(
          `Experiment '${name}' still has ${trials.length} trial(s), such as '${trials[0]?.TrialName ?? ""}': delete them first.`,
        );
      }
      this.stores.experiments.delete(name);
      this.tags.remove(ExperimentArn ?? "");
      return { ExperimentArn };
    },
    ListExperiments: (request) => {
      const page = listPage(
        this.stores.experiments.values(),
        request,
        (each) => ({ name: each.ExperimentName, created: each.CreationTime }),
        "Descending",
      );
      return { ExperimentSummaries: page.items.map((each) => ({ ...each })), NextToken: page.nextToken };
    },

    CreateTrial: ({ TrialName: name, ExperimentName, Tags, DisplayName, MetadataProperties }) => {
      this.experiment(ExperimentName);
      if (this.stores.trials.has(name)) {
        throw validationException(
          `Trial names must be unique within an AWS account and region. Trial with name (${name}) already exists.`,
        );
      }
      this.tags.check(Tags);
      const arn = this.arns.of("experiment-trial", name);
      const now = new Date();
      this.stores.trials.put(name, {
        TrialName: name,
        TrialArn: arn,
        DisplayName: DisplayName ?? name,
        ExperimentName,
        MetadataProperties,
        CreationTime: now,
        LastModifiedTime: now,
      });
      this.tags.create(arn, Tags);
      return { TrialArn: arn };
    },
    DescribeTrial: ({ TrialName }) => this.trial(TrialName),
    UpdateTrial: ({ TrialName, ...changes }) => {
      const trial = { ...this.trial(TrialName), ...changes, LastModifiedTime: new Date() };
      this.stores.trials.put(TrialName, trial);
      return { TrialArn: trial.TrialArn };
    },
    DeleteTrial: ({ TrialName: name }) => {
      const { TrialArn } = this.trial(name);
      const components = this.stores.components.values().filter(({ trials }) => trials.includes(name));
      if (components.length > 0) {
        throw validationException(
          `Trial '${name}' still has ${components.length} trial component(s), such as ` +
            `'${components[0]?.component.TrialComponentName ?? ""}': disassociate them first.`,
        );
      }
      this.stores.trials.delete(name);
      this.tags.remove(TrialArn ?? "");
      return { TrialArn };
    },
    ListTrials: (request) => {
      if (request.ExperimentName !== undefined) {
        this.experiment(request.ExperimentName);
      }
      const component =
        request.TrialComponentName === undefined ? undefined : this.component(request.TrialComponentName);
      const trials = this.stores.trials
        .values()
        .filter((trial) => request.ExperimentName === undefined || trial.ExperimentName === request.ExperimentName)
        .filter((trial) => component?.trials.includes(trial.TrialName) ?? true);
      const page = listPage(
        trials,
        request,
        (each) => ({ name: each.TrialName, created: each.CreationTime }),
        "Descending",
      );
      return {
        TrialSummaries: page.items.map((each) => ({ ...each, TrialSource: each.Source })),
        NextToken: page.nextToken,
      };
    },

    CreateTrialComponent: ({ TrialComponentName: name, Tags, ...rest }) => {
      if (this.stores.components.has(name)) {
        throw validationException(
          `Trial component names must be unique within an AWS account and region. Trial component with name (${name}) already exists.`,
        );
      }
      this.tags.check(Tags);
      const arn = this.arns.of("experiment-trial-component", name);
      const now = new Date();
      const component: TrialComponent = {
        ...rest,
        TrialComponentName: name,
        TrialComponentArn: arn,
        DisplayName: rest.DisplayName ?? name,
        CreationTime: now,
        LastModifiedTime: now,
      };
      this.stores.components.put(name, { component, trials: [] });
      this.tags.create(arn, Tags);
      return { TrialComponentArn: arn };
    },
    DescribeTrialComponent: ({ TrialComponentName }) => this.component(TrialComponentName).component,
    UpdateTrialComponent: ({ TrialComponentName: name, ...changes }) => {
      const { component, trials } = this.component(name);
      const { ParametersToRemove, InputArtifactsToRemove, OutputArtifactsToRemove, ...values } = changes;
      const changed: TrialComponent = {
        ...component,
        ...values,
        Parameters: merged(component.Parameters, values.Parameters, ParametersToRemove),
        InputArtifacts: merged(component.InputArtifacts, values.InputArtifacts, InputArtifactsToRemove),
        OutputArtifacts: merged(component.OutputArtifacts, values.OutputArtifacts, OutputArtifactsToRemove),
        LastModifiedTime: new Date(),
      };
      this.stores.components.put(name, { component: changed, trials });
      return { TrialComponentArn: component.TrialComponentArn };
    },
    DeleteTrialComponent: ({ TrialComponentName: name }) => {
      const { component, trials } = this.component(name);
      if (trials.length > 0) {
        throw validationException(
          `Trial component '${name}' still belongs to the trial(s) [${trials.join(", ")}]: disassociate it first.`,
        );
      }
      this.stores.components.delete(name);
      this.tags.remove(component.TrialComponentArn ?? "");
      return { TrialComponentArn: component.TrialComponentArn };
    },
    ListTrialComponents: (request) => {
      const trialsOfExperiment =
        request.ExperimentName === undefined
          ? undefined
          : this.stores.trials
              .values()
              .filter((trial) => trial.ExperimentName === this.experiment(request.ExperimentName ?? "").ExperimentName)
              .map(({ TrialName }) => TrialName);
      if (request.TrialName !== undefined) {
        this.trial(request.TrialName);
      }
      const components = this.stores.components
        .values()
        .filter(
          ({ trials }) => trialsOfExperiment === undefined || trials.some((name) => trialsOfExperiment.includes(name)),
        )
        .filter(({ trials }) => request.TrialName === undefined || trials.includes(request.TrialName))
        .filter(({ component }) => request.SourceArn === undefined || component.Source?.SourceArn === request.SourceArn)
        .map(({ component }) => component);
      const page = listPage(
        components,
        request,
        (each) => ({ name: each.TrialComponentName, created: each.CreationTime }),
        "Descending",
      );
      return {
        TrialComponentSummaries: page.items.map((each) => ({
          TrialComponentName: each.TrialComponentName,
          TrialComponentArn: each.TrialComponentArn,
          DisplayName: each.DisplayName,
          TrialComponentSource: each.Source,
          Status: each.Status,
          StartTime: each.StartTime,
          EndTime: each.EndTime,
          CreationTime: each.CreationTime,
          LastModifiedTime: each.LastModifiedTime,
        })),
        NextToken: page.nextToken,
      };
    },
    AssociateTrialComponent: ({ TrialComponentName, TrialName }) => {
      const { component, trials } = this.component(TrialComponentName);
      const { TrialArn } = this.trial(TrialName);
      this.stores.components.put(TrialComponentName, { component, trials: [...new Set([...trials, TrialName])] });
      return { TrialComponentArn: component.TrialComponentArn, TrialArn };
    },
    DisassociateTrialComponent: ({ TrialComponentName, TrialName }) => {
      const { component, trials } = this.component(TrialComponentName);
      const { TrialArn } = this.trial(TrialName);
      this.stores.components.put(TrialComponentName, {
        component,
        trials: trials.filter((name) => name !== TrialName),
      });
      return { TrialComponentArn: component.TrialComponentArn, TrialArn };
    },
  };

  private experiment(name: string): Experiment {
    const experiment = this.stores.experiments.get(name);
    if (experiment === undefined) {
      throw resourceNotFound(`Experiment '${name}' does not exist.`);
    }
    return experiment;
  }

  private trial(name: string): Trial {
    const trial = this.stores.trials.get(name);
    if (trial === undefined) {
      throw resourceNotFound(`Trial '${name}' does not exist.`);
    }
    return trial;
  }

  private component(nameOrArn: string): StoredComponent {
    const name = this.arns.nameIn("experiment-trial-component", nameOrArn);
    const component = this.stores.components.get(name);
    if (component === undefined) {
      throw resourceNotFound(`Trial component '${name}' does not exist.`);
    }
    return component;
  }
}

function merged<Value>(
  current: Record<string, Value> | undefined,
  added: Record<string, Value> | undefined,
  removed: readonly string[] | undefined,
): Record<string, Value> {
  const all = { ...current, ...added };
  return Object.fromEntries(Object.entries(all).filter(([key]) => removed?.includes(key) !== true));
}
