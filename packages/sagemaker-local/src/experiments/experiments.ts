import type * as control from "@aws-sdk/client-sagemaker";
import type {
  DescribeExperimentResponse,
  DescribeTrialComponentResponse,
  DescribeTrialResponse,
  ExperimentConfig,
} from "@aws-sdk/client-sagemaker";
import { resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import { type Kind, type ResourceContext, Resources } from "../resources/resources";

type Experiment = Validated<DescribeExperimentResponse> & { ExperimentName: string; CreationTime: Date };
type Trial = Validated<DescribeTrialResponse> & { TrialName: string; ExperimentName: string; CreationTime: Date };
type TrialComponent = Validated<DescribeTrialComponentResponse> & {
  TrialComponentName: string;
  CreationTime: Date;
  /** The trials that it belongs to. */
  trials: readonly string[];
};

/** What a job reports of itself in its trial component. */
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

/** What is the same in all three kinds. */
const kind = <Prefix extends string>(prefix: Prefix, type: string, folder: string, noun: string): Kind<Prefix> => ({
  prefix,
  type,
  folder,
  order: "Descending",
  missing: (name) => resourceNotFound(`${noun} '${name}' does not exist.`),
  taken: (name) =>
    validationException(
      `${noun} names must be unique within an AWS account and region. ${noun} with name (${name}) already exists.`,
    ),
});

/** Experiments, their trials, and the trial components that jobs leave in them. */
export class Experiments {
  private readonly experiments: Resources<"Experiment", Experiment>;
  private readonly trials: Resources<"Trial", Trial>;
  private readonly components: Resources<"TrialComponent", TrialComponent>;

  constructor(context: ResourceContext) {
    this.experiments = new Resources(context, kind("Experiment", "experiment", "experiments", "Experiment"));
    this.trials = new Resources(context, kind("Trial", "experiment-trial", "trials", "Trial"));
    this.components = new Resources(
      context,
      kind("TrialComponent", "experiment-trial-component", "trial-components", "Trial component"),
    );
  }

  /**
   * Refuses a job's experiment configuration whose experiment or trial does not exist.
   * @throws ServiceError ResourceNotFound
   */
  check(config: ExperimentConfig | undefined): void {
    if (config?.ExperimentName !== undefined) {
      this.experiments.existing(config.ExperimentName);
    }
    if (config?.TrialName !== undefined) {
      this.trials.existing(config.TrialName);
    }
  }

  /** Records the job in its trial component. */
  record(config: ExperimentConfig | undefined, job: SourceJob, facts: JobFacts): void {
    if (config === undefined) {
      return;
    }
    const name = `${job.name}-aws-${job.kind}`;
    const component = this.components.find(name);
    if (component !== undefined) {
      this.components.change(component, facts);
      return;
    }
    const trial = config.TrialName === undefined ? undefined : this.trials.find(config.TrialName);
    this.components.create(
      { TrialComponentName: name, ...facts },
      {
        DisplayName: config.TrialComponentDisplayName ?? name,
        Source: {
          SourceArn: job.arn,
          SourceType: job.kind === "training-job" ? "SageMakerTrainingJob" : "SageMakerProcessingJob",
        },
        trials: trial === undefined ? [] : [trial.TrialName],
      },
    );
  }

  readonly operations: OperationTable<typeof control> = {
    CreateExperiment: (request) =>
      this.experiments.create(request, { DisplayName: request.DisplayName ?? request.ExperimentName }),
    DescribeExperiment: ({ ExperimentName }) => this.experiments.existing(ExperimentName),
    UpdateExperiment: (request) => this.experiments.change(this.experiments.existing(request.ExperimentName), request),
    DeleteExperiment: ({ ExperimentName: name }) => {
      this.experiments.existing(name);
      const trials = this.trials.all().filter((trial) => trial.ExperimentName === name);
      if (trials.length > 0) {
        throw validationException(
          `Experiment '${name}' still has ${trials.length} trial(s), such as '${trials[0]?.TrialName ?? ""}': delete them first.`,
        );
      }
      return this.experiments.remove(name);
    },
    ListExperiments: (request) => this.experiments.list(request, "ExperimentSummaries"),

    CreateTrial: (request) => {
      this.experiments.existing(request.ExperimentName);
      return this.trials.create(request, { DisplayName: request.DisplayName ?? request.TrialName });
    },
    DescribeTrial: ({ TrialName }) => this.trials.existing(TrialName),
    UpdateTrial: (request) => this.trials.change(this.trials.existing(request.TrialName), request),
    DeleteTrial: ({ TrialName: name }) => {
      this.trials.existing(name);
      const components = this.components.all().filter(({ trials }) => trials.includes(name));
      if (components.length > 0) {
        throw validationException(
          `Trial '${name}' still has ${components.length} trial component(s), such as ` +
            `'${components[0]?.TrialComponentName ?? ""}': disassociate them first.`,
        );
      }
      return this.trials.remove(name);
    },
    ListTrials: (request) => {
      const { ExperimentName, TrialComponentName } = request;
      if (ExperimentName !== undefined) {
        this.experiments.existing(ExperimentName);
      }
      const component = TrialComponentName === undefined ? undefined : this.components.existing(TrialComponentName);
      return this.trials.list(request, "TrialSummaries", {
        where: (trial) =>
          (ExperimentName === undefined || trial.ExperimentName === ExperimentName) &&
          (component?.trials.includes(trial.TrialName) ?? true),
      });
    },

    CreateTrialComponent: (request) =>
      this.components.create(request, { DisplayName: request.DisplayName ?? request.TrialComponentName, trials: [] }),
    DescribeTrialComponent: ({ TrialComponentName }) => this.components.existing(TrialComponentName),
    UpdateTrialComponent: (request) => {
      const { TrialComponentName, ParametersToRemove, InputArtifactsToRemove, OutputArtifactsToRemove, ...values } =
        request;
      const component = this.components.existing(TrialComponentName);
      return this.components.change(component, {
        ...values,
        Parameters: merged(component.Parameters, values.Parameters, ParametersToRemove),
        InputArtifacts: merged(component.InputArtifacts, values.InputArtifacts, InputArtifactsToRemove),
        OutputArtifacts: merged(component.OutputArtifacts, values.OutputArtifacts, OutputArtifactsToRemove),
      });
    },
    DeleteTrialComponent: ({ TrialComponentName: name }) => {
      const { trials } = this.components.existing(name);
      if (trials.length > 0) {
        throw validationException(
          `Trial component '${name}' still belongs to the trial(s) [${trials.join(", ")}]: disassociate it first.`,
        );
      }
      return this.components.remove(name);
    },
    ListTrialComponents: (request) => {
      const { ExperimentName, TrialName, SourceArn } = request;
      const experiment = ExperimentName === undefined ? undefined : this.experiments.existing(ExperimentName);
      if (TrialName !== undefined) {
        this.trials.existing(TrialName);
      }
      const { TrialComponentSummaries, NextToken } = this.components.list(request, "TrialComponentSummaries", {
        where: ({ trials, Source }) =>
          (experiment === undefined ||
            trials.some((name) => this.trials.find(name)?.ExperimentName === experiment.ExperimentName)) &&
          (TrialName === undefined || trials.includes(TrialName)) &&
          (SourceArn === undefined || Source?.SourceArn === SourceArn),
      });
      return {
        TrialComponentSummaries: TrialComponentSummaries.map((each) => ({
          ...each,
          TrialComponentSource: each.Source,
        })),
        NextToken,
      };
    },
    AssociateTrialComponent: ({ TrialComponentName, TrialName }) =>
      this.associate(TrialComponentName, TrialName, (trials) => [...new Set([...trials, TrialName])]),
    DisassociateTrialComponent: ({ TrialComponentName, TrialName }) =>
      this.associate(TrialComponentName, TrialName, (trials) => trials.filter((name) => name !== TrialName)),
  };

  private associate(
    componentName: string,
    trialName: string,
    change: (trials: readonly string[]) => readonly string[],
  ): { TrialComponentArn: string | undefined; TrialArn: string | undefined } {
    const component = this.components.existing(componentName);
    const { TrialArn } = this.trials.existing(trialName);
    this.components.change(component, { trials: change(component.trials) });
    return { TrialComponentArn: component.TrialComponentArn, TrialArn };
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
